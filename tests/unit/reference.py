"""What the tests of the documentation share: the generator, the schemas, and validating against them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "docs" / "generate.py"
SCHEMAS = ROOT / "docs" / "schemas"


def generator() -> Any:
    """The module ``docs/generate.py``, which is no part of a package."""
    name = "docs_generate"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, GENERATOR)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def schema(name: str) -> dict[str, Any]:
    """One documented schema: ``schema("config.show")``."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return found


def validated(name: str, stdout: str) -> dict[str, Any]:
    """The one JSON object on stdout, which must be as documented."""
    answer: dict[str, Any] = json.loads(stdout)
    problems = [
        f"{problem.json_path}: {problem.message}"
        for problem in Draft202012Validator(schema(name)).iter_errors(answer)
    ]
    assert not problems, f"not as docs/schemas/{name}.json says: {problems}\n{stdout}"
    return answer
