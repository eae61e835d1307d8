"""Checks of this machine: installed versions, the stack's ports, disk space."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import mlflowctl
from mlflowctl.doctor.check import Check, Finding, Skip
from mlflowctl.settings import Context

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# A 64 MB artifact, a day of write-ahead log and PostgreSQL's own checkpoints fit; less is an emergency.
FREE_BYTES = 2_000_000_000
SHOWN = 5


def versions(context: Context) -> str:  # noqa: ARG001 (one signature for all checks)
    """Installed packages against the pins of the checkout, or against the ranges of the package.

    A wheel carries no pins (whoever installs it may choose), so there only the declared ranges count.
    """
    pins = checkout_pins(Path(mlflowctl.__file__).parents[2])
    wrong = differing(pins) if pins else out_of_range()
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise Finding(
            "; ".join(wrong[:SHOWN]) + more,
            "python -m pip install --constraint constraints.txt --editable ."
            if pins
            else "python -m pip install --upgrade mlflowctl",
        )
    if pins:
        return f"{len(pins)} pins of constraints.txt hold"
    return "installed packages are within the declared ranges (no constraints.txt beside the package)"


def checkout_pins(root: Path) -> dict[str, str]:
    """Name → version of ``constraints.txt`` if the package runs from a checkout; else nothing."""
    from packaging.requirements import Requirement

    file = root / "constraints.txt"
    if not file.is_file() or not (root / "pyproject.toml").is_file():
        return {}
    pins = {}
    for line in file.read_text().splitlines():
        text = line.split("#")[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            pins[requirement.name] = str(requirement.specifier).removeprefix("==")
    return pins


def differing(pins: dict[str, str]) -> list[str]:
    """The installed packages whose version is not the pinned one; a package that is not installed is none."""
    from packaging.version import Version

    found = []
    for name, wanted in sorted(pins.items()):
        installed = _installed(name)
        if installed is not None and Version(installed) != Version(wanted):
            found.append(f"{name} {installed} is installed, {wanted} is pinned")
    return found


def out_of_range() -> list[str]:
    """The requirements of this package that the installed packages do not meet."""
    from packaging.requirements import Requirement

    try:
        texts = importlib.metadata.requires("mlflowctl") or []
    except importlib.metadata.PackageNotFoundError:
        raise Skip("mlflowctl is not installed as a package, so nothing says what it needs") from None
    wanted = [Requirement(text) for text in texts]
    return [problem for requirement in wanted if (problem := _unmet(requirement))]


def _unmet(requirement: Requirement) -> str:
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return ""
    installed = _installed(requirement.name)
    if installed is None:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return f"{requirement.name} {installed} is installed, {requirement.specifier} is needed"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def ports(context: Context) -> str:
    """Every public port of the stack is held by the stack's own process."""
    from mlflowctl.stack import ports as stack_ports
    from mlflowctl.stack import supervisor

    if context.layout is None:
        raise Skip("no embedded stack")
    config = context.layout.load()
    alive = supervisor.components(context.layout)
    wrong = []
    for component, port in config.ports.public().items():
        free = stack_ports.is_free(port)
        if alive[component] is None and not free:
            wrong.append(f"port {port} of {component} is taken by {stack_ports.holder(port)}")
        elif alive[component] is not None and free:
            wrong.append(f"{component} runs and does not listen on its port {port}")
        elif alive[component] is None:
            wrong.append(f"nothing listens on port {port}: {component} does not run")
    if wrong:
        taken = any("taken" in problem for problem in wrong)
        raise Finding("; ".join(wrong), "mlflowctl up --auto-ports" if taken else "mlflowctl up")
    return ", ".join(f"{component} {port}" for component, port in config.ports.public().items())


def disk(context: Context) -> str:
    """Room for the stack's data."""
    if context.layout is None:
        raise Skip("no embedded stack")
    config = context.layout.load()
    folders = {context.layout.root, Path(config.postgres_home or context.layout.root)}
    free = {folder: shutil.disk_usage(folder).free for folder in folders if folder.exists()}
    folder, least = min(free.items(), key=lambda item: item[1])
    if least < FREE_BYTES:
        raise Finding(
            f"{_gigabytes(least)} free for {folder}, {_gigabytes(FREE_BYTES)} are needed",
            f"df -h {folder}   (free some space; PostgreSQL stops when none is left)",
        )
    return f"{_gigabytes(least)} free"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


VERSIONS = Check("versions", "versions", versions)
PORTS = Check("ports", "ports", ports)
DISK = Check("disk", "disk space", disk)
