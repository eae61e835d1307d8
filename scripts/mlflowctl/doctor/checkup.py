"""The order of the checks, and making them: what builds on a failed check is skipped."""

from __future__ import annotations

from collections.abc import Callable

from mlflowctl.doctor import components, containers, environment, machine, promotions, registry
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
    components.AUTHENTICATION,
    registry.LOGIN,
    registry.SCHEMA,
    registry.ACCOUNTS,
    registry.GUARD,
    registry.DUPLICATES,
    registry.ALIASES,
    registry.BUCKETS,
    promotions.LEDGERS,
)

# Instead of those of the embedded stack.
OF_COMPOSE = (
    containers.ENGINE,
    containers.COMPOSE,
    containers.FILES,
    containers.PUBLISHED,
    containers.ENGINE_DISK,
    containers.SERVICES,
)
OF_LOGIN = (components.AUTHENTICATION, registry.ACCOUNTS)
OF_EMBEDDED = (machine.PORTS, machine.DISK, components.SUPERVISOR)

# On a Compose project and in AWS these are made in a container: only there the database can be reached.
WITHIN = (
    components.DATABASE,
    registry.LOGIN,
    registry.SCHEMA,
    registry.ACCOUNTS,
    registry.GUARD,
    registry.DUPLICATES,
    registry.ALIASES,
)


def examine(
    context: Context,
    tell: Callable[[Result], None],
    checks: tuple[Check, ...] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Make all checks; reads only.

    Args:
        context: the platform.
        tell: called with each result as it is known.
        checks: in order, each after those it needs; default: those that fit the context.
        say: told of what takes a while.
    """
    results: list[Result] = []
    inner = _Inner(context, say)
    for check in checks or checks_for(context):
        result = inner.made(check, results) or _make(check, context, results)
        results.append(result)
        tell(result)
    return results


def checks_for(context: Context) -> tuple[Check, ...]:
    """The checks that make sense on the context, in order."""
    checks = [check for check in CHECKS if context.login or check not in OF_LOGIN]
    if context.project is None and context.environment is None:
        return tuple(checks)
    first, *rest = (check for check in checks if check not in OF_EMBEDDED)
    return (first, *(OF_COMPOSE if context.project else ()), *rest)


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


class _Inner:
    """The checks that a container of the platform makes, asked for once and only if needed."""

    def __init__(self, context: Context, say: Callable[[str], None]) -> None:
        self._context = context
        self._say = say
        self._found: dict[str, Result] | None = None

    def made(self, check: Check, before: list[Result]) -> Result | None:
        """The container's result of the check; None where it is made here."""
        if check not in WITHIN or not (self._context.project or self._context.environment):
            return None
        services = next((one for one in before if one.name == containers.SERVICES.name), None)
        if services and services.verdict != "ok":
            return Result(check.name, check.title, "skipped", f"{services.title} failed")
        try:
            self._found = self._found if self._found is not None else self._ask()
        except Skip as exc:
            return Result(check.name, check.title, "skipped", str(exc))
        except MlflowctlError as exc:
            return Result(check.name, check.title, "failed", exc.what.rstrip("."), exc.next)
        return self._found[check.name]

    def _ask(self) -> dict[str, Result]:
        if self._context.project:
            return containers.within(self._context.project)
        assert self._context.environment is not None
        return environment.within(self._context.environment, self._say)
