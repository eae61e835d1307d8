"""Ledger and database history side by side: who is found to have switched behind whose back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlflowctl.registry.foreign import Matcher, Switch

AT = datetime(2026, 11, 24, tzinfo=UTC)


def match(history: list[int], *entries: tuple[str, dict[str, Any]]) -> Matcher:
    """Match versions that became Production, in order (row ids from 1), with entries (numbers from 1)."""
    matcher = Matcher([Switch(i, AT, version, "mlflow") for i, version in enumerate(history, 1)])
    for number, (kind, body) in enumerate(entries, 1):
        matcher.feed(number, kind, body)
    matcher.finish()
    return matcher


def done(version: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return "done", {"move": "promote", "version": version, "stage": "Production", **more}


def observed(champion: int | None, **more: Any) -> tuple[str, dict[str, Any]]:
    return "observed", {"champion": champion, "challenger": None, **more}


RETIRED = ("done", {"move": "retire", "version": 2, "stage": "Archived"})


def strangers(matcher: Matcher) -> list[int]:
    return [row.version for row in matcher.unrecorded]


def test_switches_that_are_all_recorded():
    found = match([1, 2, 1], done(1), done(2), done(1, move="rollback"))
    assert (strangers(found), found.missing) == ([], [])


def test_other_entries_mean_nothing_here():
    staged = ("done", {"move": "stage", "version": 9, "stage": "Staging"})
    found = match([1], ("registered", {"version": 1}), done(1), staged, ("frozen", {"reason": ""}))
    assert (strangers(found), found.missing) == ([], [])


def test_a_switch_that_no_entry_tells_of():
    assert strangers(match([1, 5], done(1))) == [5]


def test_a_switch_in_between_although_the_champion_came_back():
    assert strangers(match([1, 5, 1, 2], done(1), done(2))) == [5, 1]


def test_what_was_there_before_the_ledger_began_is_nobodys_fault():
    assert strangers(match([7, 8, 9, 1], done(1))) == []
    assert strangers(match([7, 8], observed(8, by="adoption"))) == []


def test_what_was_observed_may_have_come_about_in_many_switches():
    found = match([1, 5, 6, 7, 2], done(1), observed(7), done(2))
    assert (strangers(found), found.missing) == ([], [])


def test_an_observation_of_the_same_champion_covers_nothing():
    assert strangers(match([1, 5, 1], done(1), observed(1))) == [5, 1]


def test_what_was_acknowledged_is_not_reported_again():
    found = match([1, 5, 1, 2], done(1), observed(1, acknowledged=[2, 3]), done(2))
    assert (strangers(found), found.missing) == ([], [])


def test_acknowledging_covers_only_what_it_names():
    found = match([1, 5, 1, 5, 1, 2], done(1), observed(1, acknowledged=[2, 3]), done(2))
    assert strangers(found) == [5, 1]


def test_an_acknowledgement_after_the_next_switch_counts_as_well():
    found = match([1, 5, 1, 2], done(1), done(2), observed(2, acknowledged=[2, 3]))
    assert strangers(found) == []


def test_a_switch_that_the_database_never_saw():
    found = match([1], done(1), done(2))
    assert (strangers(found), found.missing) == ([], [(2, 2)])


def test_a_switch_that_the_database_lost_and_the_ledger_acknowledged():
    assert match([1], done(1), done(2), observed(1, lost=[2])).missing == []


def test_a_move_finished_for_a_dead_command_may_have_strangers_before_it():
    found = match([1, 5, 2], done(1), done(2, recovered=True))
    assert (strangers(found), found.missing) == ([], [])


def test_after_retirement_the_same_version_may_come_again():
    found = match([2, 2], done(2), RETIRED, done(2))
    assert (strangers(found), found.missing) == ([], [])
    found = match([2, 2], done(2), RETIRED, observed(2))
    assert (strangers(found), found.missing) == ([], [])


def test_a_flip_flop_of_the_tool_itself_is_in_order():
    found = match([1, 2, 1, 2, 1], done(1), done(2), done(1), done(2), done(1))
    assert (strangers(found), found.missing) == ([], [])


def test_an_empty_history_and_an_empty_ledger():
    assert strangers(match([])) == []
    assert strangers(match([3])) == [3]
