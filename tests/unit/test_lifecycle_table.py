"""States and legal moves: one table in code and documentation; refusals name what is legal."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from mlflowctl.errors import IllegalMoveError
from mlflowctl.registry.lifecycle import MOVES, STATE_NAMES, legal_from, require
from mlflowctl.registry.port import STAGES, Stage, Version

PAGE = Path(__file__).parents[2] / "docs" / "promotion.md"
HEADER = ["command", "from", "to", "needs"]


def table(text: str) -> list[list[str]]:
    """The rows of the first table with this header; code marks are dropped."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.lstrip().startswith("|")
    ]
    found = rows[rows.index(HEADER) + 2 :]
    return found[: next((i for i, row in enumerate(found) if len(row) != len(HEADER)), len(found))]


def test_the_table_in_the_documentation_is_the_one_in_code():
    rows = table(PAGE.read_text())
    shown = {row[0]: row[1:] for row in rows if row[0] in MOVES}
    assert [row[0] for row in rows][: len(MOVES)] == list(MOVES)
    assert shown == {verb: [", ".join(move.sources), move.target, move.needs] for verb, move in MOVES.items()}


def version(stage: Stage) -> Version:
    return Version(model="churn model", version=7, stage=stage, tags={})


LEGAL = [(verb, stage) for verb, move in MOVES.items() for stage in move.sources]
ILLEGAL = [(verb, stage) for verb in MOVES for stage in STAGES if (verb, stage) not in LEGAL]


@pytest.mark.parametrize(("verb", "stage"), LEGAL)
def test_a_legal_move_is_allowed(verb, stage):
    assert require(verb, version(stage)) is MOVES[verb]


@pytest.mark.parametrize(("verb", "stage"), ILLEGAL)
def test_an_illegal_move_names_what_is_legal_from_there(verb, stage):
    with pytest.raises(IllegalMoveError) as refused:
        require(verb, version(stage))

    error = refused.value
    assert error.exit_code == 2
    assert error.state == "Nothing was changed."
    assert STATE_NAMES[stage] in error.what
    for source in MOVES[verb].sources:
        assert STATE_NAMES[source] in error.what
    legal = [one for one in MOVES if (one, stage) in LEGAL]
    assert legal, f"nothing at all may start from {stage}"
    for other in MOVES:
        assert (f"mlflowctl model {other} 'churn model'" in error.next) == (other in legal)


def test_every_stage_has_a_way_out_and_a_name():
    for stage in get_args(Stage):
        assert legal_from(stage)
        assert STATE_NAMES[stage]


def test_only_retiring_leads_out_of_production():
    assert legal_from("Production") == ["retire"]
