"""What to start, what to route, what to end: pure functions of what is wanted and what is there."""

from __future__ import annotations

from collections.abc import Callable, Collection

from mlflowctl.serving.following import View
from mlflowctl.serving.routes import Routes, Target

Only = str  # "", "champion" or "challenger"


def wanted(view: View, only: Only = "") -> list[int]:
    """The versions that should be served, the one that matters most first.

    What serves the challenger alone has the champion ready too: it answers whenever no share was decided for
    this very challenger, so that a weight left at the load balancer is never a weight on an untried version.
    """
    both = [view.champion] if only == "champion" else [view.champion, view.challenger]
    return [version for version in both if version is not None]


def route(view: View, now: Routes, port_of: Callable[[int], int | None], only: Only = "") -> Routes:
    """What the gateway should do.

    Args:
        view: of registry and ledger.
        now: what it does.
        port_of: the port on which a version answers; None: it does not (yet).
        only: serve one variant alone; a load balancer in front knows the share.

    Returns:
        Routes in which every target answers. A champion that does not answer yet leaves the one before in
        place: serving the old model is better than serving none. Only a retired model ends to serve.
    """
    champion = _champion(view, now, port_of)
    challenger = None if only == "champion" else _target(view.challenger, port_of)
    if champion and challenger and champion.version == challenger.version:
        challenger = None  # a rollback by another client may do that for a moment
    in_place = champion is not None and champion.version == view.champion
    share = view.share if challenger is not None and in_place else 0.0
    if only == "challenger" and share:
        share = 1.0
    settled = view.traffic.step if view.share == view.traffic.share else 0
    return Routes(
        step=settled,
        champion=champion,
        challenger=challenger,
        share=share,
        mode=view.traffic.mode if share and not only else "split",
        sticky=view.traffic.sticky and share > 0 and not only,
    )


def _target(version: int | None, port_of: Callable[[int], int | None]) -> Target | None:
    port = None if version is None else port_of(version)
    return Target(version, port) if version is not None and port is not None else None


def _champion(view: View, now: Routes, port_of: Callable[[int], int | None]) -> Target | None:
    found = _target(view.champion, port_of)
    retired = view.champion is None
    if found is None and now.champion is not None and not retired:
        return _target(now.champion.version, port_of)
    return found


def needless(running: Collection[int], view: View, routes: Routes, only: Only = "") -> list[int]:
    """The versions that are neither wanted nor routed."""
    routed = {target.version for target in (routes.champion, routes.challenger) if target}
    return [version for version in running if version not in {*wanted(view, only), *routed}]
