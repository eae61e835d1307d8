"""Everything that is wrong in a policy file, all at once.

The schema says what a file may look like, :mod:`mlflowctl.registry.policy_rules` what fits together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from mlflowctl.registry.policy_rules import check_model, did_you_mean
from mlflowctl.registry.policy_yaml import Document, Path, Problem, read

TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


def problems(text: str) -> list[Problem]:
    """What is wrong in a policy file, in the order of its lines; an empty list if it is well.

    Args:
        text: the whole file.
    """
    return examine(text).problems


def examine(text: str) -> Document:
    """Read a policy file, with its problems in the order of its lines. Raises nothing."""
    document = read(text)
    if isinstance(document.data, dict):
        meant = _against_schema(document)
        models = document.data.get("models")
        for name, policy in models.items() if isinstance(models, dict) else ():
            if isinstance(policy, dict):
                check_model(document, ("models", name), policy, meant)
    elif not document.problems:
        document.add((), "The file must be a mapping with the keys version and models.")
    document.problems.sort(key=lambda problem: problem.line)
    return document


def schema() -> dict[str, Any]:
    """The published JSON schema of ``promotion.yaml``."""
    text = files("mlflowctl.registry").joinpath("policy.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _against_schema(document: Document) -> set[Path]:
    """Note what the schema refuses.

    Returns:
        The paths of keys that were surely meant where an unknown key stands: nobody is told that
        ``threshold`` is missing next to "unknown key threshhold".
    """
    from jsonschema import Draft202012Validator

    errors = list(Draft202012Validator(schema()).iter_errors(document.data))
    meant: set[Path] = set()
    for error in errors:
        if error.validator == "additionalProperties":
            meant |= _unknown_keys(document, tuple(error.absolute_path), error)
    for error in errors:
        path: Path = tuple(error.absolute_path)
        if error.validator == "required":
            known = {*error.instance, *(one[-1] for one in meant if one[:-1] == path)}
            if missing := [key for key in error.validator_value if key not in known]:
                document.add(path, f"Missing: {', '.join(missing)}.")
        elif error.validator != "additionalProperties" and path not in document.unreadable:
            document.add(path, _message(error))
    return meant


def _unknown_keys(document: Document, path: Path, error: Any) -> set[Path]:
    allowed = list(error.schema["properties"])
    meant = set()
    for key in error.instance:
        if key in allowed:
            continue
        close = did_you_mean(key, [one for one in allowed if one not in error.instance])
        known = f"known here: {', '.join(allowed)}"
        document.add(
            (*path, key), f"Unknown key {key!r}; {f'did you mean {close!r}?' if close else f'{known}.'}"
        )
        if close:
            meant.add((*path, close))
    return meant


def _message(error: Any) -> str:
    """One sentence in the project's words; the library's own for what the schema does not use today."""
    limit, found = error.validator_value, _shown(error.instance)
    sentences: Mapping[str, str] = {
        "const": f"Must be {limit}, not {found}.",
        "minimum": f"Must be {limit} or more, not {found}.",
        "maximum": f"Must be {limit} or less, not {found}.",
        "exclusiveMinimum": f"Must be more than {limit}, not {found}.",
        "exclusiveMaximum": f"Must be less than {limit}, not {found}.",
        "minLength": "Must not be empty.",
        "maxLength": f"Must not be longer than {limit} characters.",
        "minProperties": "Must hold at least one entry.",
        "minItems": f"Must hold at least {limit} entr{'y' if limit == 1 else 'ies'}.",
        "maxItems": f"Must hold at most {limit} entries.",
        "uniqueItems": "Names something twice.",
    }
    if error.validator == "type":
        return f"Must be {TYPES.get(limit, limit)}, not {found}."
    if error.validator == "enum":
        close = did_you_mean(str(error.instance), limit)
        return f"Must be {' or '.join(limit)}, not {found}{f'; did you mean {close}?' if close else '.'}"
    return sentences.get(error.validator) or f"{error.message}."


def _shown(value: Any) -> str:
    """A value as the file has it, shortened."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "empty"
    text = f"the text {value!r}" if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 80 else f"{text[:80]}…"


def listed(found: Iterable[Problem], file: str) -> Iterator[str]:
    """One line per problem, as editors and compilers write them: ``promotion.yaml:12: where: what``."""
    for problem in found:
        where = f"{problem.path}: " if problem.path else ""
        yield f"{file}:{problem.line}: {where}{problem.message}"
