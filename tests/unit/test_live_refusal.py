"""What real requests showed to be harmful is not promoted, until it is tested anew or somebody overrides."""

from __future__ import annotations

from typing import Any

import pytest

from mlflowctl.errors import GateFailedError
from mlflowctl.registry.port import Version
from mlflowctl.registry.requirements import refuse_harmful

CHAMPION, CHALLENGER = (Version("m", number, "None", {}) for number in (6, 7))


def state(event: str, champion: int = 6, challenger: int = 7) -> dict[str, Any]:
    return {"live": {"event": event, "champion": champion, "challenger": challenger, "reason": "errors rose"}}


def test_an_aborted_challenger_is_refused_with_the_reason():
    with pytest.raises(GateFailedError, match="errors rose") as refused:
        refuse_harmful("m", CHALLENGER, CHAMPION, state("aborted"))
    assert "--again" in refused.value.next


@pytest.mark.parametrize(
    "found",
    [
        {"live": None},
        state("passed"),
        state("started"),
        state("stopped"),
        state("aborted", champion=5),  # against another champion
        state("aborted", challenger=8),
    ],
)
def test_anything_else_says_nothing_against_it(found):
    refuse_harmful("m", CHALLENGER, CHAMPION, found)
