"""Trying a model: its own code, in a process that has nothing worth stealing and cannot stay."""

from mlflowctl.registry.sandbox.runner import run_trial
from mlflowctl.registry.sandbox.trial import Trial

__all__ = ["Trial", "run_trial"]
