"""The main job on real input, start to end: train, register, validate, promote, refuse, roll back, audit."""

from mlflowctl.demo.story import run
from mlflowctl.demo.training import MODEL

__all__ = ["MODEL", "run"]
