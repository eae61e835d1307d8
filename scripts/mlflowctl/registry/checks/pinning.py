"""Could the model's environment be made again a year from now?"""

from __future__ import annotations

from importlib import metadata

from mlflowctl.registry.checks.subject import Subject
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.verdict import CheckResult, Verdict

LIMIT = 1 << 20  # bytes of requirements.txt
SHOWN = 10


def check(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:  # noqa: ARG001
    """Every requirement names one version, and the Python version is recorded.

    Raises:
        NotAModel: ``MLmodel`` cannot be read.
    """
    path = challenger.folder / "requirements.txt"
    if not path.is_file() or path.stat().st_size > LIMIT:
        return _result(
            Verdict.FAIL, "There is no requirements.txt.", "Log the model with pip_requirements=[…], pinned."
        )
    lines = [line.split(" #")[0].strip() for line in path.read_text(errors="replace").splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    loose = [line for line in wanted if not pinned(line)]
    python = _python(challenger)
    if loose:
        more = f" and {len(loose) - SHOWN} more" if len(loose) > SHOWN else ""
        return _result(
            Verdict.FAIL,
            f"Not pinned to one version: {', '.join(loose[:SHOWN])}{more}.",
            "Log the model with pip_requirements that say package==version.",
        )
    if not python:
        return _result(Verdict.FAIL, "MLmodel does not say which Python it needs.", "Log the model again.")
    others = _others(wanted) if challenger.trial.environment.startswith("local") else []
    tested = f" Tried with other versions here: {', '.join(others[:SHOWN])}." if others else ""
    return _result(Verdict.PASS, f"{len(wanted)} requirements pinned, Python {python}.{tested}")


def pinned(line: str) -> bool:
    """True if a line of a requirements file allows one version only (or one file, by its hash)."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(line.split(" --hash")[0])
    except InvalidRequirement:
        return False
    if found.url:
        return "sha256=" in found.url
    return any(one.operator in ("==", "===") and "*" not in one.version for one in found.specifier)


def _python(subject: Subject) -> str:
    flavors = subject.mlmodel.get("flavors")
    flavor = flavors.get("python_function") if isinstance(flavors, dict) else None
    return str(flavor.get("python_version") or "") if isinstance(flavor, dict) else ""


def _others(wanted: list[str]) -> list[str]:
    """Requirements of which this environment, where the model was tried, has another version."""
    from packaging.requirements import Requirement

    found = []
    for line in wanted:
        requirement = Requirement(line.split(" --hash")[0])
        try:
            here = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            here = "none"
        if requirement.marker and not requirement.marker.evaluate():
            continue
        if here == "none" or not requirement.specifier.contains(here, prereleases=True):
            found.append(f"{requirement.name} {here}")
    return found


def _result(verdict: Verdict, detail: str, next: str = "") -> CheckResult:
    return CheckResult("environment", "", verdict, detail, next)
