"""The final checks: everything that must be right with a version and is not a metric (docs/checks.md)."""

from mlflowctl.registry.checks.final import final_checks
from mlflowctl.registry.checks.subject import CheckInput, CheckOutcome, Subject

__all__ = ["CheckInput", "CheckOutcome", "Subject", "final_checks"]
