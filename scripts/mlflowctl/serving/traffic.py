"""The challenger's share of the live requests: entries of the model's ledger, which every gateway follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlflowctl.errors import ConflictError, IllegalMoveError, UsageError
from mlflowctl.plan import Action, Step
from mlflowctl.registry import ledger_state
from mlflowctl.registry.ledger import quoted

if TYPE_CHECKING:
    from mlflowctl.registry.desk import Desk

Mode = Literal["split", "shadow"]
WEIGHT = 0.0006  # a load balancer rounds shares to thousandths
MOST = 0.5  # beyond half of the requests the challenger would be the champion


@dataclass(frozen=True)
class Traffic:
    """Who gets which share.

    Attributes:
        step: number of the ledger entry that set it; 0: none did, so the champion gets everything.
        share: the challenger's, 0 to 0.5.
        mode: ``split`` (the challenger's answers reach the clients) or ``shadow`` (that share of the requests
            is copied to the challenger and its answers are thrown away).
        sticky: a cookie keeps a client with its variant.
        champion: version that the share was decided for.
        challenger: version that the share was decided for.
        at: since when, UTC, ISO 8601.
        by: ``person`` or ``live`` (the controller of a live test).
        why: manual, ramp, abort, …
    """

    step: int = 0
    share: float = 0.0
    mode: Mode = "split"
    sticky: bool = False
    champion: int | None = None
    challenger: int | None = None
    at: str = ""
    by: str = "person"
    why: str = ""


NONE = Traffic()


def of_state(state: dict[str, Any]) -> Traffic:
    """The share that a ledger's state holds."""
    found = state.get("traffic")
    if not found:
        return NONE
    fields = Traffic.__dataclass_fields__
    known = {name: value for name, value in found.items() if name in fields}
    return Traffic(**{**known, "step": int(found["number"]), "share": float(found["share"])})


def read(desk: Desk, model: str) -> Traffic:
    """The share that holds now."""
    return of_state(desk.head(model).state)


def parse(text: str) -> float:
    """A share as people write it: ``5%``, ``5 %``, ``0.05``.

    Raises:
        UsageError: it is none, or not within 0 to 0.5.
    """
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= MOST:
        raise _no_share(text)
    return share


def _no_share(text: str) -> UsageError:
    return UsageError(
        f"A challenger's share is 0 to {MOST:.0%} of the requests, not {text!r}.",
        state="Nothing was changed.",
        next="mlflowctl model traffic NAME --challenger 5%",
    )


def steps(desk: Desk, model: str, now: Traffic, share: float, mode: str, sticky: bool) -> list[Step]:
    """What setting a share would change; empty if all is so already."""
    champion, challenger = _serving(desk, model, share)
    wanted = (share, mode if share else "split", sticky if share else False, champion, challenger)
    same = wanted == (now.share, now.mode, now.sticky, now.champion, now.challenger)
    weight = held(desk, model)
    balanced = weight is None or abs(weight - share) < WEIGHT
    if balanced and (same or share == now.share == 0):
        return []
    how = "gets copies of" if mode == "shadow" else "gets"
    more = ", sticky" if sticky else ""
    detail = f"{how} {share:.2%} of the requests instead of {now.share:.2%}{more}"
    return [Step(Action.CHANGE, f"challenger v{challenger} of {model}", detail)]


def set_share(
    desk: Desk,
    model: str,
    share: float,
    *,
    reason: str,
    by: str = "person",
    why: str = "manual",
    mode: Mode = "split",
    sticky: bool = False,
    expect_step: int | None = None,
) -> Traffic:
    """Give the challenger a share of the requests from now on.

    Args:
        desk: where.
        model: name of the registered model.
        share: 0 to 0.5.
        reason: for the ledger.
        by: ``person`` or ``live``.
        why: one word, for programs.
        mode: ``split`` or ``shadow``.
        sticky: keep clients with their variant by a cookie.
        expect_step: the step that this decision rests on; None: whatever holds now.

    Returns:
        What holds now.

    Raises:
        UsageError: the share is not within 0 to 0.5.
        IllegalMoveError: there is no challenger to get a share.
        ConflictError: the share is another one than the decision rests on.
    """
    if not 0 <= share <= MOST:
        raise _no_share(f"{share:.4g}")
    champion, challenger = _serving(desk, model, share)

    def unchanged(state: dict[str, Any]) -> None:
        _refuse_moved(state, model, expect_step)

    body = {
        "share": share, "mode": mode, "sticky": sticky, "champion": champion, "challenger": challenger,
        "by": by, "why": why,
    }  # fmt: skip
    head = desk.head(model)
    unchanged(head.state)
    balance(desk, model, share, mode, sticky)
    written = desk.ledger(model).append(
        ledger_state.TRAFFIC, desk.actor, reason, body, after=head, check=unchanged
    )
    return of_state(written.state)


def balance(desk: Desk, model: str, share: float, mode: str = "split", sticky: bool = False) -> None:
    """Set the weights of the load balancer, where one divides the requests (in AWS).

    They may come before the ledger's entry: what serves the challenger there answers with the champion until
    the ledger names a share for it.

    Raises:
        UsageError: a load balancer sends no copies.
        MlflowctlError: it refuses, or no challenger is healthy.
    """
    environment = desk.context.environment
    if environment is None or model not in environment.serving:
        return
    from mlflowctl.cloud.weights import set_weights

    if mode == "shadow" and share:
        raise UsageError(
            "AWS's load balancer cannot send copies of requests, so there is no --shadow there.",
            state="Nothing was changed.",
            next=f"mlflowctl model traffic {quoted(model)} --challenger 1%",
        )
    set_weights(environment, model, share, sticky=sticky)


def held(desk: Desk, model: str) -> float | None:
    """The challenger's share as a load balancer holds it; None where none divides."""
    environment = desk.context.environment
    if environment is None or model not in environment.serving:
        return None
    from mlflowctl.cloud.weights import read_weights

    return read_weights(environment, model)


def _serving(desk: Desk, model: str, share: float) -> tuple[int | None, int | None]:
    champion, challenger = desk.registry.champion(model), desk.registry.challenger(model)
    if share > 0 and challenger is None:
        raise IllegalMoveError(
            f"Model {model!r} has no challenger, so nothing can get {share:.4g} of its requests.",
            state="Nothing was changed.",
            next=f"mlflowctl model stage {quoted(model)} VERSION",
        )
    if share > 0 and champion is None:
        raise IllegalMoveError(
            f"Model {model!r} has no champion to share its requests with.",
            state="Nothing was changed.",
            next=f"mlflowctl model promote {quoted(model)}   (docs/promotion.md, the first champion)",
        )
    return champion.version if champion else None, challenger.version if challenger else None


def _refuse_moved(state: dict[str, Any], model: str, expect_step: int | None) -> None:
    found = of_state(state)
    if expect_step is not None and found.step != expect_step:
        raise ConflictError(
            f"The share of model {model!r} was changed meanwhile: it is {found.share:.4g} since step "
            f"{found.step}, set by {found.by}.",
            state="Nothing was changed by this command.",
            next=f"mlflowctl model traffic {quoted(model)} shows what holds now.",
        )
