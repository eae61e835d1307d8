"""Alembic's migration scripts of the installed MLflow, read as text.

Loading them as Alembic does runs their imports, and with them MLflow's: three seconds, for two facts.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from mlflowctl.errors import MlflowctlError

ASSIGNED = re.compile(r"^(revision|down_revision)\s*(?::[^=\n]+)?=\s*(.+?)\s*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Revisions:
    """The revisions of one set of scripts.

    Attributes:
        known: all of them.
        head: the one that the installed release needs.
    """

    known: frozenset[str]
    head: str


def installed(*folder: str) -> Revisions:
    """The revisions of the scripts in a folder of the installed MLflow.

    Args:
        folder: its parts, below MLflow's own: "store", "db_migrations".

    Raises:
        MlflowctlError: MLflow is not installed, or its scripts are not written as they always were.
    """
    spec = importlib.util.find_spec("mlflow")
    if spec is None or spec.origin is None:
        raise MlflowctlError("MLflow is not installed.", next="pip install mlflowctl")
    scripts = Path(spec.origin).parent.joinpath(*folder, "versions")
    found = dict(one for path in scripts.glob("*.py") if (one := _read(path)))
    before = {one for below in found.values() for one in below}
    heads = found.keys() - before
    if len(heads) != 1 or not before <= found.keys():
        raise MlflowctlError(
            f"The migration scripts in {scripts} cannot be understood: {len(heads)} of them are the last.",
            state="Nothing was changed.",
            next="mlflowctl doctor   (an MLflow beyond the supported range?)",
        )
    return Revisions(frozenset(found), heads.pop())


def _read(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """A script's revision and those before it; None for a file that is no script."""
    assigned = dict(ASSIGNED.findall(path.read_text()))
    if "revision" not in assigned:
        return None
    try:
        revision, before = (ast.literal_eval(assigned[name]) for name in ("revision", "down_revision"))
    except (KeyError, ValueError, SyntaxError):
        return None
    return str(revision), (before,) if isinstance(before, str) else tuple(before or ())
