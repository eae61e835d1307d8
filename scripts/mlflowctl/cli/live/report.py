"""``live report``: one report of the validation's gates and the live test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.model.common import ModelArgument, desk_for
from mlflowctl.console import Console
from mlflowctl.errors import AccessError, NotFoundError


@command("live.report")
def report(
    console: Console,
    name: ModelArgument,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="The challenger; default: of the last live test."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Ends in .html, or in .md for the live test alone.")
    ] = Path("live-report.html"),
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Write one report of a version's validation and its live test. Reads only."""
    from mlflowctl.live import section
    from mlflowctl.live.state import LiveTest

    desk = desk_for(context, data_dir)
    if version is None:
        last = LiveTest.of(desk.head(name).state)
        if last is None:
            desk.registry.model_tags(name)  # raises if there is no such model
            raise NotFoundError(
                f"Model {name!r} was in no live test.",
                state="Nothing was written.",
                next="mlflowctl live run NAME",
            )
        version = last.challenger
    if out.suffix == ".md":
        text = section.markdown(section.read(desk.objects, name, version))
    else:
        text = section.report(desk, name, version)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise AccessError(
            f"{out} cannot be written: {exc.strerror or exc}.",
            state="Nothing was written.",
            next="Name another file: --out FILE",
        ) from None
    console.result(f"{out}: version {version} of {name}.")
    return {"model": name, "version": version, "file": str(out)}
