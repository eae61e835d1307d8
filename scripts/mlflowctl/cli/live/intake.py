"""``live intake``: take outcomes by HTTP, for the metrics of a live test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.model.common import ModelArgument, desk_to_change
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

if TYPE_CHECKING:
    from mlflowctl.live.intake import Keep
    from mlflowctl.registry.desk import Desk


@command("live.intake")
def intake(
    console: Console,
    name: ModelArgument,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any free one.")] = 8091,
    bind: Annotated[
        str, typer.Option("--bind", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="file|bucket",
            help="Where outcomes go; default: file where this machine has a stack.",
        ),
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Holds the token; made if it is not there."),
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Take outcomes as JSON lines by HTTP and keep them for live tests, until Ctrl-C."""
    from mlflowctl.live import intake as work
    from mlflowctl.live.running import interruptible
    from mlflowctl.stack.layout import DEFAULT_DATA_DIR

    if to not in ("", "file", "bucket"):
        raise UsageError(
            f"--to is file or bucket, not {to!r}.",
            state="Nothing was started.",
            next="mlflowctl live intake --help",
        )
    desk = desk_to_change(console, context, data_dir)
    desk.registry.model_tags(name)  # a model that nobody registered is refused at once
    layout = desk.context.layout
    folder = (layout.root if layout else DEFAULT_DATA_DIR.resolve()) / "outcomes" / quote(name, safe="")
    place = token_file or folder / "token"
    token = work.token_of(place)
    data, keep = _kept(desk, name, to or ("file" if layout else "bucket"), folder)
    try:
        made = work.server(token, keep, port, bind)
    except OSError as exc:
        raise UsageError(
            f"{bind}:{port} cannot be listened on: {exc.strerror or exc}.",
            state="Nothing was started.",
            next="Name another port: --port 0 takes any free one.",
        ) from None
    address = f"http://{bind}:{made.server_port}{work.PATH}"
    console.progress(f"{address} takes outcomes of {name}; the token is in {place}. Ctrl-C ends it.")
    console.progress(f"In the policy: data: {data}")
    import threading

    with interruptible() as stop:
        threading.Thread(target=made.serve_forever, daemon=True, name="intake").start()
        while not stop.wait(1.0):
            pass
        made.shutdown()
        made.server_close()
    return {"model": name, "url": address, "data": data, "token_file": str(place)}


def _kept(desk: Desk, name: str, to: str, folder: Path) -> tuple[str, Keep]:
    """What the policy names as data, and what keeps it."""
    from mlflowctl.live import intake as work

    if to == "file":
        return f"{folder}/", work.to_files(folder)
    bucket = desk.objects.settings.registry_bucket
    return f"s3://{bucket}/{work.bucket_prefix(name)}", work.to_bucket(desk.objects, name)
