"""What the registry and the ledger say should be served, looked at once a second by a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlflowctl.errors import MlflowctlError, NotFoundError
from mlflowctl.registry.ledger import quoted
from mlflowctl.serving import traffic
from mlflowctl.serving.traffic import Traffic

if TYPE_CHECKING:
    from mlflowctl.registry.desk import Desk

EVERY = 1.0  # seconds


@dataclass(frozen=True)
class View:
    """One look.

    Attributes:
        champion: version number; None: there is none.
        challenger: version number.
        traffic: the share that the ledger holds.
    """

    champion: int | None = None
    challenger: int | None = None
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def share(self) -> float:
        """The challenger's share, if it was decided for these very versions."""
        decided = (self.traffic.champion, self.traffic.challenger)
        return self.traffic.share if decided == (self.champion, self.challenger) else 0.0


def look(desk: Desk, model: str) -> View:
    """Read registry and ledger once."""
    champion, challenger = desk.registry.champion(model), desk.registry.challenger(model)
    return View(
        champion.version if champion else None,
        challenger.version if challenger else None,
        traffic.read(desk, model),
    )


class Following(threading.Thread):
    """Looks once a second; while nobody answers, the last view stays."""

    def __init__(self, desk: Desk, model: str) -> None:
        super().__init__(daemon=True, name="following")
        self.desk, self.model = desk, model
        self.view: View | None = None
        self.trouble = ""
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.view = look(self.desk, self.model)
                self.trouble = ""
            except NotFoundError as exc:
                # Not registered yet is nothing to serve. Gone later is no order to stop.
                self.view = self.view or View()
                self.trouble = f"{exc.what}. Next: mlflowctl model register {quoted(self.model)} SOURCE"
            except MlflowctlError as exc:
                self.trouble = exc.what
            except Exception as exc:
                self.trouble = f"{type(exc).__name__}: {exc}"
            self.ended.wait(EVERY)
