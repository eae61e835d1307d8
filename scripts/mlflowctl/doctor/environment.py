"""The checks of an environment in AWS that only a task in its VPC can make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlflowctl.doctor.check import Result, Skip
from mlflowctl.errors import AccessError, FindingsError

if TYPE_CHECKING:
    from mlflowctl.cloud.published import Published


def within(found: Published, say: Callable[[str], None]) -> dict[str, Result]:
    """The results of ``doctor`` in a task of the environment, by name of the check.

    Raises:
        Skip: whoever asks may not start tasks, which takes the rights of a deployer.
        MlflowctlError: the task did not run, or gave no answer.
    """
    from mlflowctl.cloud import inside

    try:
        answer = inside.run(found, ["doctor"], say)
    except FindingsError as findings:
        answer = findings.result
    except AccessError as refused:
        raise Skip(f"only a task in the VPC reaches the database: {refused.what}") from None
    return {row["name"]: Result(**row) for row in answer["checks"]}
