"""The loop behind ``mlflowctl serve``: servers follow the registry, the gateway follows the servers.

It may be killed at any moment. Gateway and servers go on without it; the next one takes the gateway over,
brings up servers of its own, and ends the ones that were left only when its own answer.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry.desk import Desk
from mlflowctl.serving import planning
from mlflowctl.serving.fallback import Fallback
from mlflowctl.serving.following import Following, View
from mlflowctl.serving.gateway import Gateway
from mlflowctl.serving.group import Group, Survivors, pid_files
from mlflowctl.serving.place import Place
from mlflowctl.serving.preparation import Order, prepare, sweep
from mlflowctl.serving.routes import Routes
from mlflowctl.serving.shipping import Shipping

if TYPE_CHECKING:
    from mlflowctl.settings import Context

TICK = 0.1  # seconds
SETTLING = 1.5  # seconds after a change of routes before servers end that it left without requests
AGAIN = (2.0, 5.0, 10.0, 30.0, 60.0)  # seconds until a version that did not come up is tried once more
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Failure:
    """A version that did not come up.

    Attributes:
        why: in words.
        count: how often in a row.
        again: when it is tried once more, by the monotonic clock.
    """

    why: str
    count: int
    again: float


class Supervisor:
    """Serves one model on this machine.

    Args:
        context: whose registry.
        model: name of the registered model.
        place: its folder.
        gateway: in front.
        order: how versions are served.
        only: ``champion`` or ``challenger``; empty: both.
        tell: prints what happens.
    """

    def __init__(
        self,
        context: Context,
        model: str,
        place: Place,
        gateway: Gateway,
        order: Order,
        only: str,
        tell: Tell,
    ) -> None:
        self.context, self.model, self.place = context, model, place
        self.gateway, self.order, self.only, self.tell = gateway, order, only, tell
        self.following = Following(Desk(context), model)
        self.shipping = Shipping(Desk(context), model, place, gateway)
        self.fallback = Fallback(place, model, gateway.routes().fallback)
        self.ready: dict[int, Group] = {}
        self.left = _left(place, gateway)
        self.pending: dict[int, Future[Group]] = {}
        self.failed: dict[int, Failure] = {}
        self.routes = gateway.routes() if self.left else Routes()
        self.changed = 0.0
        self.told = ""
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="servers")

    @property
    def view(self) -> View | None:
        return self.following.view

    def run(self, each: Callable[[], None]) -> None:
        """Serve until ``stopping`` is set. ``each`` is called after every look."""
        sweep(self.place, self.left)
        self.following.start()
        self.shipping.start()
        if self.left:
            self.tell(
                f"found servers of v{', v'.join(map(str, self.left))}; they go on until new ones answer"
            )
            self.gateway.start()
        while not self.stopping.wait(TICK):
            self.tick()
            each()

    def tick(self) -> None:
        """One round: nothing in it waits for a server, the registry or the store."""
        self.fallback.start()
        self._revive()
        self._collect()
        self._tell_trouble()
        if self.view is not None:
            self._prepare(self.view)
            self._route(self.view)
            self._drain(self.view)
        if self.routes.champion or self.routes.vacant:
            self.gateway.start()

    def end(self) -> None:
        """Let open requests end, end gateway and servers, ship what is left of the records."""
        self.stopping.set()
        self.following.ended.set()
        self.gateway.end()
        self.fallback.end()
        for future in self.pending.values():
            future.cancel()
        ends = [*(group.end for group in self.ready.values()), *(one.end for one in self.left.values())]
        list(self.threads.map(lambda end: end(), ends))
        self.shipping.finish()
        self.threads.shutdown(cancel_futures=True)
        shutil.rmtree(self.place.models, ignore_errors=True)
        self.place.routes.unlink(missing_ok=True)

    def _tell_trouble(self) -> None:
        """Say once that registry or store do not answer, and once that they do again."""
        now = self.following.trouble or self.shipping.trouble
        if now != self.told:
            self.tell(f"what serves keeps serving, but: {now}" if now else "registry and store answer again")
            self.told = now

    def port_of(self, version: int) -> int | None:
        """Where a version answers; None: nowhere."""
        if version in self.ready:
            return self.ready[version].port
        left = self.left.get(version)
        return left.port if left and left.alive() else None

    def _revive(self) -> None:
        """Start processes that are missing. A challenger without any is no longer asked at all."""
        for version, group in list(self.ready.items()):
            codes = group.reap()
            for code in codes:
                self.tell(f"a server of v{version} ended ({_ending(code)})")
            champion = self.view is None or version != self.view.challenger
            if not group.children and not champion:
                self._give_up(version, "its server died.")
            elif len(group.children) < (self.order.workers if champion else 1) and group.may_start():
                group.start()

    def _give_up(self, version: int, why: str) -> None:
        group = self.ready.pop(version)
        self._note_failure(version, why)
        if self.view is not None:
            self._route(self.view)
        # Its socket goes last: until the gateway has heard, whoever is sent there waits and is then sent on.
        self.threads.submit(self._end, group, SETTLING)

    def _note_failure(self, version: int, why: str) -> None:
        count = self.failed[version].count + 1 if version in self.failed else 1
        wait = AGAIN[min(count, len(AGAIN)) - 1]
        self.failed[version] = Failure(why, count, time.monotonic() + wait)
        self.tell(f"v{version} is not served: {why.rstrip('.')}. Next try in {wait:.0f} s.")

    def _collect(self) -> None:
        """Take over what the threads have brought up."""
        for version, future in list(self.pending.items()):
            if not future.done():
                continue
            del self.pending[version]
            try:
                self.ready[version] = future.result()
                self.failed.pop(version, None)
                self.tell(f"v{version} is loaded and answers")
            except MlflowctlError as exc:
                self._note_failure(version, exc.what)
            except Exception as exc:
                self._note_failure(version, f"{type(exc).__name__}: {exc}")

    def _prepare(self, view: View) -> None:
        for version in planning.wanted(view, self.only):
            known = self.failed.get(version)
            waiting = known is not None and time.monotonic() < known.again
            if version in self.ready or version in self.pending or waiting:
                continue
            self.tell(f"v{version}: fetching and loading")
            self.pending[version] = self.threads.submit(
                prepare, self.context, self.place, self.model, version, self.order, self.stopping.is_set
            )

    def _route(self, view: View) -> None:
        routes = planning.route(view, self.routes, self.port_of, self.only)
        routes = replace(routes, fallback=self.fallback.port, vacant=view.champion is None)
        if routes == self.routes:
            return
        self.gateway.route(routes)
        self.tell(_told(routes))
        self.routes, self.changed = routes, time.monotonic()

    def _drain(self, view: View) -> None:
        """End servers that get no requests any more, when the gateway has surely heard of it."""
        if time.monotonic() - self.changed < SETTLING:
            return
        for version in planning.needless(self.ready, view, self.routes, self.only):
            self.tell(f"v{version} drains")
            self.threads.submit(self._end, self.ready.pop(version))
        for version in list(self.left):
            target = (self.routes.champion, self.routes.challenger)
            if not any(one and one.port == self.left[version].port for one in target):
                self.tell(f"v{version}: the servers left by the supervisor before drain")
                self.threads.submit(self.left.pop(version).end)
        for version in [one for one in self.failed if one not in planning.wanted(view, self.only)]:
            del self.failed[version]

    def _end(self, group: Group, after: float = 0.0) -> None:
        time.sleep(after)
        group.end()
        shutil.rmtree(group.folder.parent, ignore_errors=True)


def _left(place: Place, gateway: Gateway) -> dict[int, Survivors]:
    """The servers that the gateway still asks, left by a supervisor that was killed."""
    routes = gateway.routes()
    found = {
        one.version: Survivors(one.version, one.port, pid_files(place, one.version))
        for one in (routes.champion, routes.challenger)
        if one is not None
    }
    return {version: one for version, one in found.items() if one.alive()}


def _ending(code: int) -> str:
    import signal

    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _told(routes: Routes) -> str:
    champion = f"v{routes.champion.version}" if routes.champion else "nobody"
    if routes.vacant and routes.champion is None:
        return "the registry has no champion; requests are answered 503"
    if routes.challenger is None:
        return f"champion {champion} answers" if routes.champion else "nobody answers"
    how = "a copy of " if routes.mode == "shadow" else ""
    return (
        f"champion {champion} answers, challenger v{routes.challenger.version} gets {how}"
        f"{routes.share:.2%} of the requests (step {routes.step})"
    )
