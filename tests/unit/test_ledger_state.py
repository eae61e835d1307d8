"""What a ledger amounts to: the fold of every kind of entry, the last good champion, looks at a holdout."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from mlflowctl.registry import ledger_state
from mlflowctl.registry.ledger_state import empty, fold, good, last_good, next_look

ANN = {"name": "ann", "kind": "os", "host": "laptop"}
BOB = {"name": "bob", "kind": "os", "host": "server"}


class Story:
    """Entries one after the other; ``state`` is what they amount to."""

    def __init__(self) -> None:
        self.state, self.number = empty(), 0

    def add(self, kind: str, actor: dict[str, str] = ANN, **body: Any) -> Story:
        self.number += 1
        before = deepcopy(self.state)
        after = fold(self.state, kind, self.number, f"at {self.number}", actor, body)
        assert self.state == before, "the fold changed its argument"
        self.state = after
        return self

    def move(self, move: str, version: int, champion: int | None = None, **more: Any) -> Story:
        body = {"move": move, "version": version, "champion": champion, "tags": [], **more}
        return self.add("intent", **body).add("done", **body, intent=self.number)

    def validated(self, version: int, verdict: str = "pass", **more: Any) -> Story:
        usual = {"champion": None, "evidence": "key/", "sha256": f"sha of {version}", "policy": "p"}
        return self.add("validated", **usual | {"version": version, "verdict": verdict} | more)

    @property
    def reigns(self) -> list[int]:
        return [one["version"] for one in self.state["reigns"]]


def two_champions() -> Story:
    return Story().move("promote", 1).move("promote", 2, champion=1)


def test_an_intent_is_open_until_it_is_done():
    story = Story().add("intent", move="stage", version=3)
    assert story.state["open"] == {"number": 1, "at": "at 1", "actor": ANN, "move": "stage", "version": 3}

    story.add("done", move="stage", version=3)
    assert story.state["open"] is None


def test_an_aborted_move_leaves_everything_as_it_was():
    story = two_champions()
    before = deepcopy(story.state)
    story.add("intent", move="rollback", version=1, champion=2).add("aborted", intent=story.number)
    assert story.state == before


def test_a_promotion_begins_a_reign_and_ends_the_challenge():
    story = Story().move("promote", 1).move("stage", 2)
    assert story.state["challenger"] == 2

    story.move("promote", 2, champion=1, keep=3)
    assert (story.state["champion"], story.state["challenger"], story.reigns) == (2, None, [1, 2])
    assert story.state["keep"] == 3


def test_a_promotion_leaves_another_challenger_alone():
    assert Story().move("stage", 7).move("promote", 1).state["challenger"] == 7


def test_a_rollback_takes_the_reign_away_for_good():
    story = two_champions().move("rollback", 1, champion=2)
    assert (story.state["champion"], story.reigns, story.state["failed"]) == (1, [1], [2])
    assert story.state["rolled_back"] == {
        "from": 2, "to": 1, "number": story.number, "at": f"at {story.number}", "actor": ANN,
    }  # fmt: skip


def test_the_next_promotion_ends_the_rollback():
    story = two_champions().move("rollback", 1, champion=2).move("promote", 3, champion=1)
    assert story.state["rolled_back"] is None
    assert story.state["failed"] == [2]


def test_what_was_rolled_back_from_may_be_promoted_anew():
    story = two_champions().move("rollback", 1, champion=2).move("promote", 2, champion=1)
    assert (story.reigns, story.state["failed"]) == ([1, 2], [])


def test_evidence_from_before_a_rollback_does_not_count_any_more():
    story = Story().move("promote", 1).validated(2, champion=1).move("promote", 2, champion=1)
    assert not story.state["candidates"]["2"].get("void")
    story.move("rollback", 1, champion=2)
    assert story.state["candidates"]["2"]["void"]
    story.validated(2, champion=1)
    assert not story.state["candidates"]["2"].get("void")


def test_a_version_staged_out_of_the_archive_starts_anew():
    story = two_champions().validated(2).move("rollback", 1, champion=2).move("stage", 2, restart=True)
    assert story.state["candidates"]["2"]["void"]
    assert story.state["failed"] == []


def test_retiring_leaves_no_champion_and_a_promotion_ends_it():
    story = two_champions().move("retire", 2, champion=2)
    assert (story.state["champion"], story.state["retired"]) == (None, True)
    story.move("promote", 3)
    assert (story.state["champion"], story.state["retired"]) == (3, False)


def test_staging_names_the_proposer_and_keeps_a_verdict_that_stands():
    story = Story().validated(4).move("stage", 4)
    candidate = story.state["candidates"]["4"]
    assert (candidate["proposer"], candidate["verdict"]) == (ANN, "pass")


def test_archiving_the_challenger_ends_the_challenge_and_archiving_another_does_not():
    assert Story().move("stage", 2).move("archive", 2).state["challenger"] is None
    assert Story().move("stage", 2).move("archive", 1).state["challenger"] == 2


def test_a_freeze_says_who_and_why_until_it_is_lifted():
    story = Story().add("frozen", BOB, reason="release week")
    assert story.state["frozen"] == {"at": "at 1", "actor": BOB, "reason": "release week"}
    assert story.add("unfrozen", reason="over").state["frozen"] is None


def test_a_validation_keeps_the_proposer_and_drops_the_approvals():
    story = Story().move("stage", 2).validated(2).add("approved", BOB, version=2, sha256="sha of 2")
    assert [one["name"] for one in story.state["candidates"]["2"]["approvals"]] == ["bob"]

    story.validated(2, "fail", sha256="another")
    candidate = story.state["candidates"]["2"]
    assert (candidate["proposer"], candidate["verdict"], candidate["approvals"]) == (ANN, "fail", [])


@pytest.mark.parametrize("sha256", ["sha of 2", "older evidence"])
def test_an_approval_is_good_for_its_evidence_alone_and_counts_once_a_person(sha256):
    story = Story().validated(2)
    for _ in range(2):
        story.add("approved", BOB, version=2, sha256=sha256)
    names = [one["name"] for one in story.state["candidates"]["2"]["approvals"]]
    assert names == (["bob"] if sha256 == "sha of 2" else [])


def test_an_approval_of_void_evidence_counts_nothing():
    story = two_champions().validated(2).move("rollback", 1, champion=2)
    story.add("approved", BOB, version=2, sha256="sha of 2")
    assert story.state["candidates"]["2"]["approvals"] == []


def test_a_champion_that_somebody_else_made_is_one():
    story = two_champions().add("observed", champion=5, challenger=6)
    assert (story.state["champion"], story.state["challenger"], story.reigns) == (5, 6, [1, 2, 5])


def test_an_observation_of_the_same_champion_adds_no_reign():
    story = two_champions().add("observed", champion=2, challenger=None, acknowledged=[1])
    assert story.reigns == [1, 2]


def test_a_champion_found_gone_is_retired():
    story = two_champions().add("observed", champion=None, challenger=None)
    assert (story.state["champion"], story.state["retired"], story.reigns) == (None, True, [1, 2])


def test_a_rollback_by_break_glass_counts_as_one():
    story = two_champions().add("observed", champion=1, challenger=None, failed=2)
    assert (story.state["champion"], story.reigns, story.state["failed"]) == (1, [1], [2])
    assert (story.state["rolled_back"]["from"], story.state["rolled_back"]["to"]) == (2, 1)


@pytest.mark.parametrize("kind", ["registered", "lease-broken"])
def test_what_moves_nothing_changes_nothing(kind):
    story = two_champions()
    before = deepcopy(story.state)
    assert story.add(kind, version=9).state == before


def test_the_share_is_the_last_one_until_champion_or_challenger_changes():
    story = two_champions().move("stage", 3, champion=2)
    assert story.state["traffic"] is None
    story.add("traffic", share=0.05, champion=2, challenger=3)
    story.add("traffic", share=0.25, champion=2, challenger=3)
    assert story.state["traffic"]["share"] == 0.25
    story.add("live", event="advanced")
    assert (story.state["live"]["event"], story.state["traffic"]["share"]) == ("advanced", 0.25)
    story.move("promote", 3, champion=2)
    assert story.state["traffic"] is None
    assert story.state["live"]["event"] == "advanced"


def test_a_rollback_beside_a_challenger_ends_its_share():
    story = two_champions().move("stage", 3, champion=2)
    story.add("traffic", share=0.05, champion=2, challenger=3)
    story.move("rollback", 1, champion=2)
    assert (story.state["challenger"], story.state["traffic"]) == (3, None)


def test_every_kind_is_told_here():
    source = open(__file__).read()  # noqa: PTH123, SIM115
    assert not [kind for kind in ledger_state.KINDS if f'"{kind}"' not in source]


def test_the_last_good_champion_skips_what_was_rolled_back_from():
    story = two_champions().move("promote", 3, champion=2)
    assert last_good(story.state, 3) == 2
    story.move("rollback", 2, champion=3)
    assert last_good(story.state, 2) == 1
    story.move("rollback", 1, champion=2)
    assert last_good(story.state, 1) is None


def test_all_good_champions_are_known_the_last_one_first():
    story = two_champions().move("promote", 3, champion=2).move("promote", 4, champion=3)
    assert good(story.state, 4) == [3, 2, 1]
    story.move("rollback", 3, champion=4)
    assert good(story.state, 3) == [2, 1]


def test_without_a_champion_before_it_there_is_nothing_to_go_back_to():
    assert last_good(empty(), 1) is None
    assert last_good(Story().move("promote", 1).state, 1) is None


def test_behind_a_champion_that_the_ledger_does_not_know_stands_the_ledgers_own():
    assert last_good(two_champions().state, 9) == 2


def test_looks_are_counted_and_the_same_question_is_the_same_look():
    story = Story()
    assert next_look(story.state, "rows", "first?") == 1
    story.validated(2, holdout="rows", look=1, question="first?")
    assert next_look(story.state, "rows", "first?") == 1
    assert next_look(story.state, "rows", "second?") == 2
    assert next_look(story.state, "other rows", "second?") == 1
    story.validated(3, holdout="rows", look=2, question="second?")
    assert next_look(story.state, "rows", "first?") == 1
    assert next_look(story.state, "rows", "third?") == 3


def test_forgotten_questions_do_not_turn_the_count_back():
    story = Story()
    most = ledger_state.QUESTIONS + 5
    for look in range(1, most + 1):
        story.validated(2, holdout="rows", look=look, question=f"{look}?")
    assert len(story.state["looks"]["rows"]["questions"]) == ledger_state.QUESTIONS
    assert next_look(story.state, "rows", "1?") == most + 1


def test_the_state_does_not_grow_with_the_ledger():
    story = Story()
    for version in range(1, 120):
        story.move("stage", version).validated(version).move("promote", version, champion=version - 1)
    assert len(story.state["reigns"]) == ledger_state.REIGNS
    assert len(story.state["candidates"]) <= ledger_state.CANDIDATES
    assert story.reigns[-1] == 119
