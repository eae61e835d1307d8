"""What serves: ``model serving`` compares it with the registry, ``model traffic`` splits the requests."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    YesOption,
    command,
    confirm,
)
from mlflowctl.cli.model.common import ModelArgument, ReasonOption, desk_for, desk_to_change, seconds
from mlflowctl.cli.options import print_steps
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="The gateway; default: MLFLOWCTL_SERVING_URL, or this machine's."
    ),
]


@command("model.serving")
def serving(
    console: Console,
    name: ModelArgument,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            parser=seconds,
            help="How long to wait until all is equal: 120, 120s.",
        ),
    ] = 0.0,
    url: UrlOption = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show what really answers against what the registry says. Exit 6 on a difference."""
    from mlflowctl.serving import endpoints

    desk = desk_for(context, data_dir)
    found = (
        endpoints.wait_for(
            desk, name, endpoints.url_of(desk.context, name, url), seconds=wait, progress=console.progress
        )
        if wait
        else endpoints.compare(desk, name, endpoints.url_of(desk.context, name, url))
    )
    answer = _serving(found)
    registry = {"champion": found.view.champion, "challenger": found.view.challenger}
    console.table(
        ("endpoint", "registry", "answers", "time"),
        [
            (
                one.variant,
                f"v{registry[one.variant]}",
                f"v{one.version}" if one.version else f"no: {one.error}",
                f"{1000 * one.seconds:.0f} ms",
            )
            for one in found.endpoints
        ],
    )
    console.result(f"share of the challenger: {found.view.share:.2%}   gateway: {found.url}")
    if found.differences:
        error = endpoints.different(name, found)
        error.result = answer
        raise error
    return answer


def _serving(found: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "url": found.url,
        "registry": {"champion": found.view.champion, "challenger": found.view.challenger},
        "share": found.view.share,
        "step": found.view.traffic.step,
        "endpoints": [asdict(one) for one in found.endpoints],
        "differences": list(found.differences),
    }


@command("model.traffic")
def traffic(
    console: Console,
    name: ModelArgument,
    challenger: Annotated[
        str | None,
        typer.Option("--challenger", metavar="SHARE", help="Its share from now on: 5%, 0.05; 0 ends it."),
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Send copies to the challenger and throw its answers away.")
    ] = False,
    sticky: Annotated[
        bool, typer.Option("--sticky", help="Keep a client with its variant by a cookie.")
    ] = False,
    reason: ReasonOption = "",
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Show or set the challenger's share of the live requests."""
    from mlflowctl.serving import traffic as work

    if challenger is None:
        if shadow or sticky:
            raise UsageError(
                "--shadow and --sticky go with --challenger.",
                state="Nothing was changed.",
                next="mlflowctl model traffic --help",
            )
        return _told(console, name, work.read(desk_for(context, data_dir), name), changed=False)
    share = work.parse(challenger)
    desk = desk_to_change(console, context, data_dir)
    now = work.read(desk, name)
    steps = work.steps(desk, name, now, share, "shadow" if shadow else "split", sticky)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    if not steps:
        console.result("Nothing to do: the share is as wanted.")
        return _told(console, name, now, changed=False)
    confirm(f"{steps[0].target}: {steps[0].detail}?", yes=yes)
    done = work.set_share(
        desk, name, share, reason=reason, mode="shadow" if shadow else "split", sticky=sticky,
        expect_step=now.step,
    )  # fmt: skip
    return _told(console, name, done, changed=True)


def _told(console: Console, name: str, found: Any, *, changed: bool) -> dict[str, Any]:
    from dataclasses import asdict

    versions = f"champion v{found.champion}, challenger v{found.challenger}"
    how = "gets copies of" if found.mode == "shadow" else "gets"
    console.result(
        f"{name}: {versions} {how} {found.share:.2%} of the requests since step {found.step} "
        f"({found.at}, {found.by}: {found.why}){', sticky' if found.sticky else ''}"
        if found.step
        else f"{name}: nobody decided on a share; the champion answers every request."
    )
    return {"model": name, "changed": changed, **asdict(found)}
