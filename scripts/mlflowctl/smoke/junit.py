"""A smoke test as JUnit XML: one testcase per step."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from mlflowctl.errors import UsageError
from mlflowctl.smoke.report import Outcome, Report

# Characters that XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def refuse_unwritable(path: Path) -> None:
    """Raise before the test starts if its report could not be written at the end.

    Raises:
        UsageError: the folder is missing, or the path is a folder.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(
            f"--junit {path} cannot be written: "
            + ("it is a folder." if path.is_dir() else f"there is no folder {path.parent}."),
            state="Nothing was tested.",
            next="mlflowctl smoke-test --help",
        )


def write(report: Report, path: Path) -> None:
    """Write the report to ``path``."""
    suite = ElementTree.Element(
        "testsuite",
        name="mlflowctl smoke-test",
        tests=str(len(report.outcomes)),
        failures=str(report.count("failed")),
        skipped=str(report.count("skipped")),
        errors="0",
        time=f"{report.seconds:.3f}",
    )
    for outcome in report.outcomes:
        _add(suite, outcome)
    tree = ElementTree.ElementTree(suite)
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _add(suite: ElementTree.Element, outcome: Outcome) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname="mlflowctl.smoke-test",
        name=_text(outcome.title),
        time=f"{outcome.seconds:.3f}",
    )
    if outcome.verdict == "failed":
        error = outcome.error or {}
        failure = ElementTree.SubElement(
            case, "failure", type=error.get("code", "error"), message=_text(outcome.detail)
        )
        failure.text = _text(f"state: {error.get('state', '')}\nnext: {error.get('next', '')}")
    elif outcome.verdict == "skipped":
        ElementTree.SubElement(case, "skipped", message=_text(outcome.detail))
    else:
        ElementTree.SubElement(case, "system-out").text = _text(outcome.detail)


def _text(value: str) -> str:
    return _FORBIDDEN.sub("?", value)
