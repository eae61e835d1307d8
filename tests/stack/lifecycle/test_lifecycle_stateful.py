"""The lifecycle as a whole: whatever happens to a model, in any order, the promises of the protocol hold.

Real are MLflow, the guard in PostgreSQL, the object store and every line of the library. Stubs are, and are
named so, the gates (their verdict is drawn), the death of a command (an exception that nothing catches) and
the time that a dead command's lease takes to run out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import lifecycle_commands as commands
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from lifecycle_faults import Network
from lifecycle_machine import Lifecycle
from lifecycle_world import World
from tests.stack.conftest import Stack

from mlflowctl.registry.rest import Rest

EXAMPLES, STEPS = 12, 30  # about two minutes on two busy cores
BOUNDED = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    # A failing example is printed step by step; making it shorter would take many times the whole test.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    desks = [commands.desk(stack.context, name) for name in ("ann", "bob")]
    desks[0].registry.rest.put_artifact("lifecycle/stub-model/MLmodel", b"flavors: {}\n")
    made = World(desks, Rest(stack.uri), Network())
    with pytest.MonkeyPatch.context() as patch:
        made.network.install(patch)
        yield made


def test_the_promises_hold_whatever_happens(world):
    class Here(Lifecycle):
        pass

    Here.world = world
    try:
        run_state_machine_as_test(Here, settings=BOUNDED)
    finally:
        for what, count in sorted(world.counts.items()):
            print(f"{count:6} {what}")
    assert not missed(world.counts)


def missed(counts: Counter[str]) -> list[str]:
    """What must have happened at least so often, or the test has proved nothing."""
    happened = {
        "steps": counts["steps"],
        "promotions": counts["entry: done promote"],
        "rollbacks": counts["entry: done rollback"],
        "moves finished or aborted for a dead command": counts["entry: recovered"],
        "deaths": sum(n for what, n in counts.items() if what.startswith("fault: dies")),
        "lost answers": sum(n for what, n in counts.items() if what.startswith("fault: lost")),
        "late requests": sum(n for what, n in counts.items() if what.startswith("fault: arrives late")),
        "commands overtaken": sum(n for what, n in counts.items() if what.startswith("fault: overtaken")),
        "stale plans refused": counts["apply: ConflictError"] + counts["apply without a look: ConflictError"],
        "changes by others": sum(
            n for what, n in counts.items() if what.startswith("foreign") and "done" in what
        ),
        "found out by reconcile": counts["entry: observed"],
    }
    least = {"steps": EXAMPLES * STEPS // 2, "promotions": 15, "rollbacks": 4, "stale plans refused": 4}
    return [f"{what}: {n}" for what, n in happened.items() if n < least.get(what, 2)]
