"""The order of the checks, and making them: what builds on a failed check is skipped."""

from __future__ import annotations

from collections.abc import Callable

from mlflowctl.doctor import components, machine, promotions, registry
from mlflowctl.doctor.check import Check, Finding, Result, Skip
from mlflowctl.errors import MlflowctlError
from mlflowctl.settings import Context

CHECKS: tuple[Check, ...] = (
    machine.VERSIONS,
    machine.PORTS,
    machine.DISK,
    components.SUPERVISOR,
    components.DATABASE,
    components.OBJECT_STORE,
    components.CLOCKS,
    components.SERVER,
    components.SERVER_VERSION,
    components.HOSTS,
    registry.LOGIN,
    registry.SCHEMA,
    registry.GUARD,
    registry.DUPLICATES,
    registry.ALIASES,
    registry.BUCKETS,
    promotions.LEDGERS,
)


def examine(
    context: Context, tell: Callable[[Result], None], checks: tuple[Check, ...] = CHECKS
) -> list[Result]:
    """Make all checks; reads only.

    Args:
        context: the platform.
        tell: called with each result as it is known.
        checks: in order, each after those it needs.
    """
    results: list[Result] = []
    for check in checks:
        result = _make(check, context, results)
        results.append(result)
        tell(result)
    return results


def _make(check: Check, context: Context, before: list[Result]) -> Result:
    bad = {result.name: result for result in before if result.verdict != "ok"}
    for name in check.needs:
        if name in bad:
            first = bad[name]
            why = f"{first.title} failed" if first.verdict == "failed" else first.what
            return Result(check.name, check.title, "skipped", why)
    try:
        return Result(check.name, check.title, "ok", check.run(context))
    except Skip as exc:
        return Result(check.name, check.title, "skipped", str(exc))
    except Finding as exc:
        return Result(check.name, check.title, "failed", exc.what, exc.next)
    except MlflowctlError as exc:
        return Result(check.name, check.title, "failed", exc.what.rstrip("."), exc.next)
