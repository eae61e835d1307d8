"""Several people roll back at once: a move that begins between somebody's look and plan is waited for."""

from __future__ import annotations

import pytest

from mlflowctl.registry import rollback
from mlflowctl.registry.requirements import UnfinishedError


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order; ``plan`` meets somebody's open move the first two times."""
    done: list[str] = []

    def plan(*_: object) -> str:
        done.append("plan")
        if done.count("plan") < 3:
            raise UnfinishedError("ana began to rollback v3, and that is not finished.")
        return "the plan"

    monkeypatch.setattr(rollback, "settle", lambda *_, wait: done.append("settle"))
    monkeypatch.setattr(rollback, "plan", plan)
    return done


def test_it_settles_again_before_each_plan(looks: list[str]):
    assert rollback.plan_settled(None, "churn", None, wait=5) == "the plan"
    assert looks == ["settle", "plan"] * 3


def test_when_the_time_is_over_it_says_who_is_at_it(looks: list[str]):
    with pytest.raises(UnfinishedError, match="ana began"):
        rollback.plan_settled(None, "churn", None, wait=-1)
    assert looks == ["settle", "plan"]
