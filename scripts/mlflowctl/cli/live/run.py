"""``live run``: the controller of a live test, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, YesOption, command, confirm
from mlflowctl.cli.model.common import POLICY, ModelArgument, PolicyOption, desk_to_change
from mlflowctl.console import Console
from mlflowctl.errors import ConflictError, GateFailedError, InconclusiveError, MlflowctlError

if TYPE_CHECKING:
    from mlflowctl.live.running import Ended
    from mlflowctl.registry.desk import Desk


@command("live.run")
def run(
    console: Console,
    name: ModelArgument,
    policy: PolicyOption = POLICY,
    interval: Annotated[
        float,
        typer.Option("--interval", metavar="SECONDS", min=0.2, max=5, help="Time between two looks."),
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="One look and what follows from it; exit 4 while it goes on.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="A new test, although the last one of these versions ended.")
    ] = False,
    stay: Annotated[
        bool, typer.Option("--stay", help="After the pass, watch on until a person promotes, then bake.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="The gateway; default: MLFLOWCTL_SERVING_URL, or this machine's."
        ),
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Test the challenger on live traffic: ramp it up, abort it on harm, pass, promote and bake."""
    from mlflowctl.live import controller
    from mlflowctl.live.running import Options
    from mlflowctl.registry.policy_file import for_model

    rules = for_model(policy, name)
    desk = desk_to_change(console, context, data_dir)
    gateway = _gateway(console, desk, name, url)
    if _begins(desk, name, again):
        shares = ", ".join(f"{100 * one.share:.4g} %" for one in rules.live.steps)
        confirm(f"Give the challenger of {name} live traffic ({shares})?", yes=yes)
    options = Options(interval=interval, once=once, again=again, stay=stay, gateway=gateway)
    return _told(console, name, controller.run(desk, name, rules, options, console.progress))


def _gateway(console: Console, desk: Desk, name: str, url: str | None) -> str | None:
    """The gateway to ask for the challenger's health; without one, records alone tell of it."""
    from mlflowctl.errors import UsageError
    from mlflowctl.serving.endpoints import url_of

    try:
        found = url_of(desk.context, name, url)
    except UsageError:
        console.progress("No gateway is known here, so only records tell whether the challenger answers.")
        return None
    console.progress(f"Gateway: {found}")
    return found


def _begins(desk: Desk, name: str, again: bool) -> bool:
    """Whether a test would begin; one that goes on, or is over, was agreed to."""
    from mlflowctl.live.state import LiveTest

    state = desk.head(name).state
    test = LiveTest.of(state)
    if test is None or again:
        return True
    return test.over and not test.about(state["champion"], state["challenger"])


def _told(console: Console, name: str, ended: Ended) -> Any:
    """The end of a test as an answer or an error."""
    from mlflowctl.registry.ledger import quoted

    answer, model = ended.as_dict(name), quoted(name)
    if ended.final in ("passed", "baked"):
        console.result(f"{name}: {ended.reason}.")
        if ended.final == "passed":
            console.progress(f"next:  mlflowctl model promote {model}")
        return answer
    challenger, champion = answer["challenger"], answer["champion"]
    errors: dict[str, tuple[type[MlflowctlError], str, str]] = {
        "aborted": (
            GateFailedError,
            f"The champion, v{champion}, gets every request.",
            f"mlflowctl live status {model}, docs/runbook.md; --again tests the same version anew.",
        ),
        "rolled-back": (
            GateFailedError,
            f"v{champion} is champion again.",
            f"mlflowctl model history {model}, docs/runbook.md",
        ),
        "stopped": (
            ConflictError,
            f"The traffic stays as that person left it: v{challenger} gets {100 * answer['share']:.4g} %."
            if challenger
            else "There is no challenger.",
            f"mlflowctl live status {model}; --again tests anew, from the first step.",
        ),
        "policy": (
            ConflictError,
            "The test stands as it is, and nobody watches it.",
            f"The policy as it was, or mlflowctl live run {model} --again for a new test.",
        ),
        "going": (
            InconclusiveError,
            "The test goes on; nobody watches it until the next look.",
            f"mlflowctl live run {model} --once, again and again; or without --once.",
        ),
    }
    kind, state, following = errors[ended.final]
    error = kind(f"{name}: {ended.reason.rstrip('.')}.", state=state, next=following)
    error.result = answer
    raise error
