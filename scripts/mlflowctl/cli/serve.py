"""``serve``: answer requests with the champion, and with the challenger for its share of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.model.common import ModelArgument
from mlflowctl.cli.options import context_from
from mlflowctl.console import Console
from mlflowctl.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


@command("serve")
def serve(
    console: Console,
    name: ModelArgument,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where clients ask.")] = 8080,
    bind: Annotated[
        str, typer.Option("--bind", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    environment: Annotated[
        str,
        typer.Option(
            "--env-manager",
            metavar="uv|local",
            help="Run models in an environment of their own requirements, or in this one.",
        ),
    ] = "uv",
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes of the champion.")] = 2,
    only: Annotated[
        str, typer.Option("--only", metavar="champion|challenger", help="Serve one of the two alone.")
    ] = "",
    load_timeout: Annotated[
        float, typer.Option("--load-timeout", metavar="SECONDS", min=1, help="How long a model may load.")
    ] = 300.0,
    payloads: Annotated[
        str,
        typer.Option(
            "--payloads",
            metavar="off|on",
            help="Keep what is asked and answered, bodies included, on this machine.",
        ),
    ] = "off",
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Where its files go; default: the stack's folder."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the champion answers; serving goes on.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End what serves this model here.")] = False,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Serve a model: the champion, and the challenger for its share. Follows the registry until Ctrl-C."""
    from mlflowctl.registry.desk import Desk
    from mlflowctl.serving import serve as work
    from mlflowctl.serving.endpoints import server_state
    from mlflowctl.serving.place import Place
    from mlflowctl.serving.preparation import Order

    _refuse(environment, only, payloads, detach, stop)
    target = context_from(context, data_dir)
    place = Place.of(target, name, folder)
    if stop:
        stopped = work.stop(place)
        console.result(
            f"{name} is no longer served here." if stopped else f"Nothing to do: {name} is not served here."
        )
        return {"model": name, "serving": False, "changed": stopped, "url": None, "state": None}
    console.progress(f"Target: {target.describe()}")
    if payloads == "on":
        console.progress(f"Requests and answers are kept, bodies included: {place.payloads}")
    anywhere = bind == "0.0.0.0"  # noqa: S104  (compared, not bound)
    url = f"http://{'127.0.0.1' if anywhere else bind}:{port}"
    if detach:
        arguments = [word for word in sys.argv[1:] if word not in ("--detach", "--json")]
        Desk(target).registry.model_tags(name)  # a model that nobody registered is refused at once
        work.detach(place, name, url, arguments, seconds=load_timeout)
    else:
        console.progress(f"Serving {name} on http://{bind}:{port}; Ctrl-C ends it.")
        work.serve(
            target, name, place, bind=bind, port=port, only=only,
            order=Order(environment, workers, load_timeout, payloads == "on"), tell=_timed(console),
        )  # fmt: skip
    console.result(f"{name} is served on {url}." if detach else f"{name} is no longer served here.")
    return {
        "model": name, "serving": detach, "changed": True, "url": url if detach else None,
        "state": server_state(place) if detach else None,
    }  # fmt: skip


def _timed(console: Console) -> Callable[[str], None]:
    """Progress with the time in front: what happened last night is read in the morning."""

    def tell(text: str) -> None:
        console.progress(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z {text}")

    return tell


def _refuse(environment: str, only: str, payloads: str, detach: bool, stop: bool) -> None:
    wrong = ""
    if environment not in ("uv", "local"):
        wrong = f"--env-manager is uv or local, not {environment!r}."
    elif only not in ("", "champion", "challenger"):
        wrong = f"--only is champion or challenger, not {only!r}."
    elif payloads not in ("off", "on"):
        wrong = f"--payloads is off or on, not {payloads!r}."
    elif detach and stop:
        wrong = "--detach and --stop exclude each other."
    if wrong:
        raise UsageError(wrong, state="Nothing was started.", next="mlflowctl serve --help")
