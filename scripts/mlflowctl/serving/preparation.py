"""From a version's number to servers that have shown that they answer: the slow part, before any request."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry.port import DIGEST_TAG
from mlflowctl.serving.group import Group, ask
from mlflowctl.serving.place import Place

if TYPE_CHECKING:
    from mlflowctl.settings import Context

EXAMPLE = (
    "serving_input_example.json"  # MLflow writes it beside a model that was logged with an input example
)
ANSWER = 30.0  # seconds for one prediction of the input example
TAIL = 3000  # bytes of a server's log that an error quotes from


class NotServable(MlflowctlError):
    """The version does not come up."""

    code = "not_servable"


@dataclass(frozen=True)
class Order:
    """How versions are served.

    Attributes:
        environment: ``uv`` (the model's own requirements) or ``local`` (this interpreter).
        workers: processes of the champion; a challenger has one.
        patience: seconds that a server may take to load.
        payloads: keep what is asked and answered, bodies included.
    """

    environment: str = "uv"
    workers: int = 2
    patience: float = 300.0
    payloads: bool = False


def prepare(
    context: Context, place: Place, model: str, version: int, order: Order, stop: Callable[[], bool]
) -> Group:
    """Fetch a version, make its environment, start one server, and have it answer its input example.

    Args:
        context: where the model is.
        place: where its files go.
        model: name of the registered model.
        version: of it.
        order: how it is served.
        stop: asked while waiting; True gives up.

    Returns:
        Servers that answer; nothing is routed to them yet.

    Raises:
        NotServable: it does not come up; the reason is the message. Nothing of it is left.
        MlflowctlError: registry or store do not answer.
    """
    from mlflowctl.registry.sandbox import environments

    folder = Path(tempfile.mkdtemp(prefix=f"v{version}-", dir=place.models))
    group: Group | None = None
    try:
        _fetch(context, model, version, folder / "model")
        try:
            environment = environments.prepare(folder / "model", order.environment)
        except environments.NoEnvironment as exc:
            raise NotServable(exc.what, state="It gets no requests.", next=exc.next) from None
        group = Group(place, model, version, folder / "model", environment, order.payloads)
        group.start()
        _answers(group, order.patience, stop)
    except BaseException:
        if group is not None:
            group.end()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return group


def sweep(place: Place, kept: Collection[int]) -> None:
    """Remove what a supervisor that was killed had fetched; on a disk that stays it would pile up.

    Args:
        place: of the model.
        kept: versions whose servers go on from these files.
    """
    for folder in place.models.glob("v*-*"):
        if not any(folder.name.startswith(f"v{version}-") for version in kept):
            shutil.rmtree(folder, ignore_errors=True)


def _fetch(context: Context, model: str, version: int, folder: Path) -> None:
    """Copy the files; what was validated is what is served, byte for byte."""
    from mlflowctl.registry.artifacts import fetch
    from mlflowctl.registry.desk import Desk

    desk = Desk(context)
    known = desk.registry.version(model, version)
    found = fetch(desk.artifacts, desk.registry.artifact_uri(model, version), folder)
    wanted = known.tags.get(DIGEST_TAG)
    if wanted and wanted != found.digest:
        raise NotServable(
            f"The files of {model!r} v{version} are not the ones that were registered.",
            state="It gets no requests.",
            next="docs/runbook.md, artifacts changed",
        )


def _answers(group: Group, patience: float, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + patience
    while ask(group.port, "/ping", timeout=2)[0] != 200:
        if group.reap():
            raise _refused(group, "ended while it was loading")
        if stop():
            raise _refused(group, "was given up")
        if time.monotonic() > until:
            raise _refused(group, f"had not loaded after {patience:.0f} s")
        time.sleep(0.1)
    example = group.folder / EXAMPLE
    if not example.is_file():
        return
    status, text = ask(group.port, "/invocations", example.read_bytes(), timeout=ANSWER)
    if status != 200:
        raise _refused(group, f"answers its own input example with {status or 'nothing'}: {_short(text)}")


def _short(text: str) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["message"])
    return " ".join(text.split())[:300]


def _refused(group: Group, what: str) -> NotServable:
    log = group.place.logs / f"v{group.version}.log"
    last = ""
    if log.exists():
        lines = log.read_bytes()[-TAIL:].decode(errors="replace").strip().splitlines()
        last = f" It last printed: {lines[-1][:300]}" if lines else ""
    return NotServable(
        f"The server of v{group.version} {what}.{last}",
        state="It gets no requests; what serves keeps serving.",
        next=f"Read {log}",
    )
