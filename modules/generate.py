"""Writes the tables of inputs and outputs into the README of every module: ``python modules/generate.py``.

With ``--check`` it writes nothing and exits 6 if a table is out of date; a test asks that. It reads what
``terraform fmt`` leaves (one attribute per line, blocks closed in the first column), which the tests enforce,
so no parser of HCL is needed. Configurations under ``infra/`` take part once their
README has the marks.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- made by modules/generate.py; edits are lost -->"
END = "<!-- end of what modules/generate.py made -->"
OUT_OF_DATE = 6
SHORT = 60  # longer types and defaults are named by their kind


@dataclass(frozen=True)
class Block:
    """A ``variable`` or an ``output``.

    Attributes:
        name: its name.
        values: its own attributes, each as the text of the expression.
    """

    name: str
    values: dict[str, str]

    @property
    def description(self) -> str:
        return unquoted(self.values.get("description", '""'))


def blocks(folder: Path, kind: str) -> list[Block]:
    """The blocks of a kind in a folder, required inputs first, else in the order of the files."""
    found = [
        _block(match[1], match[2])
        for file in sorted(folder.glob("*.tf"))
        for match in re.finditer(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}$', file.read_text(), re.M | re.S)
    ]
    return sorted(found, key=lambda one: kind == "variable" and "default" in one.values)


def _block(name: str, body: str) -> Block:
    values: dict[str, str] = {}
    for match in re.finditer(r"^  (\w+) += (.*?)(?=^  [\w}]|^$|\Z)", body, re.M | re.S):
        values[match[1]] = match[2].strip()
    return Block(name, values)


def unquoted(text: str) -> str:
    """The text of an HCL string."""
    return str(json.loads(text)).replace("$${", "${") if text.startswith('"') else text


def resources(folder: Path) -> list[str]:
    """The types of resources in a folder."""
    texts = (file.read_text() for file in sorted(folder.glob("*.tf")))
    return sorted({found for text in texts for found in re.findall(r'^resource "(\w+)"', text, re.M)})


def tables(folder: Path) -> str:
    """What stands between the marks."""
    lines = ["## Inputs", "", "| name | what it is | type | default |", "|---|---|---|---|"]
    for one in blocks(folder, "variable"):
        kind = one.values.get("type", "any")
        lines.append(f"| `{one.name}` | {cell(one.description)} | {code(kind)} | {_default(one)} |")
    lines += ["", "## Outputs", "", "| name | what it is |", "|---|---|"]
    lines += [f"| `{one.name}` | {cell(one.description)} |" for one in blocks(folder, "output")]
    lines += ["", "## Makes", "", ", ".join(f"`{name}`" for name in resources(folder)) + "."]
    return "\n".join(lines)


def _default(one: Block) -> str:
    return code(one.values["default"]) if "default" in one.values else "**required**"


def code(expression: str) -> str:
    """An expression on one line, in code style; a long one by its outer shape."""
    line = re.sub(r"\s*#.*", "", expression)
    line = re.sub(r"\s*\n\s*", " ", line).strip()
    if len(line) > SHORT and (shape := re.match(r"((?:\w+\()*object\()", line)):
        names = ", ".join(re.findall(r"(?:^|[{,\s])(\w+) += ", line))
        line = f"{shape[1]}{{{names}}}{')' * shape[1].count('(')}"
    return f"`{line}`".replace("|", "\\|")


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def written(readme: str, made: str) -> str:
    """The README with new tables; they go to its end if it has no marks yet."""
    if BEGIN not in readme:
        return f"{readme.rstrip()}\n\n{BEGIN}\n{made}\n{END}\n"
    before, rest = readme.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def folders() -> Iterator[Path]:
    """Every module, and every configuration whose README has the marks."""
    yield from sorted(file.parent for file in (ROOT / "modules").glob("*/variables.tf"))
    for file in sorted((ROOT / "infra").glob("*/README.md")):
        if BEGIN in file.read_text():
            yield file.parent


def stale() -> dict[Path, str]:
    """The READMEs that are out of date, and how they should be."""
    found: dict[Path, str] = {}
    for folder in folders():
        readme = folder / "README.md"
        now = readme.read_text() if readme.exists() else f"# {folder.name}\n"
        wanted = written(now, tables(folder))
        if wanted != now or not readme.exists():
            found[readme] = wanted
    return found


def main() -> int:
    check = "--check" in sys.argv[1:]
    for readme, wanted in stale().items():
        print(f"{'out of date' if check else 'written'}: {readme.relative_to(ROOT)}")
        if not check:
            readme.write_text(wanted)
    return OUT_OF_DATE if check and stale() else 0


if __name__ == "__main__":
    sys.exit(main())
