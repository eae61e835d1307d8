"""Steps about the guard: what it must switch by itself, what it must refuse, and whether it is unaltered."""

from __future__ import annotations

from collections.abc import Callable

from mlflowctl.errors import FindingsError
from mlflowctl.smoke.bench import Bench, Skip, SmokeStep
from mlflowctl.smoke.meaning import GUARD, short, some_of


def catalog(bench: Bench) -> str:
    """The guard that stands in the database is, word for word, the packaged one."""
    from mlflowctl.database import guard
    from mlflowctl.database.connect import admin

    if bench.context.database is None:
        raise Skip("the context has no access to the database; the steps below judge the guard by its acts")
    with admin(bench.context.database) as connection:
        state = guard.inspect(connection)
    if state.condition == "intact":
        return f"version {state.version} intact, {state.settings}"
    what = "is gone" if state.condition == "absent" else f"is {state.condition}"
    why = f": {some_of(state.differences)}" if state.differences else ""
    raise _broken(f"The registry guard {what}{why}.")


def promotion(bench: Bench) -> str:
    """A second Production: the predecessor is archived and the aliases follow, in one call."""
    from mlflow.exceptions import RestException

    bench.transition("1", "Production")
    try:
        bench.transition("2", "Production")
    except RestException as exc:
        if exc.get_http_status_code() != 400:
            raise
        raise _broken(f"A second Production was refused instead of switched to: {exc}") from None
    stages = {version: bench.stage_of(version) for version in ("1", "2")}
    if stages != {"1": "Archived", "2": "Production"}:
        raise _broken(
            "After versions 1 and 2 were set to Production, their stages are "
            f"{stages['1']} and {stages['2']}: the predecessor was not archived."
        )
    for alias, wanted in (("champion", "2"), ("previous", "1")):
        if (found := bench.alias(alias)) != wanted:
            raise _broken(f"Alias {alias} names {_version(found)} instead of version {wanted}.")
    bench.guarded = True
    return "predecessor archived, champion → 2, previous → 1"


def champion_archived(bench: Bench) -> str:
    """The champion cannot be archived without a successor; at level at-most-one its alias goes with it."""
    if _refused(lambda: bench.transition("2", "Archived")):
        if bench.stage_of("2") != "Production" or bench.alias("champion") != "2":
            raise _broken("Archiving the champion was refused, and yet it is no longer the champion.")
        return "refused; the champion still serves"
    if bench.alias("champion") is None and bench.alias("previous") == "2":
        bench.transition("2", "Production")  # the following steps need a champion
        return "level at-most-one: resolved, alias champion removed, previous remembers it"
    raise _broken("The champion was archived without a successor: the model serves nobody.")


def champion_deleted(bench: Bench) -> str:
    """The champion cannot be deleted."""
    if _refused(lambda: bench.client.delete_model_version(bench.token, "2")):
        return "refused; the champion still serves"
    raise _broken("The champion was deleted without a successor: the model serves nobody.")


def alias_astray(bench: Bench) -> str:
    """The alias champion cannot be moved to a version that is not in Production, nor removed."""
    client, token = bench.client, bench.token
    attempts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("moved to archived version 1", lambda: client.set_registered_model_alias(token, "champion", "1")),
        ("removed", lambda: client.delete_registered_model_alias(token, "champion")),
    )
    for what, attempt in attempts:
        if not _refused(attempt):
            raise _broken(f"Alias champion could be {what} while version 2 is in Production.")
    if (found := bench.alias("champion")) != "2":
        raise _broken(f"Alias champion names {_version(found)} after its move was refused.")
    return "moving and removing refused; champion → 2"


def second_staging(bench: Bench) -> str:
    """A second challenger is refused, unless the guard was set to allow several."""
    bench.transition("1", "Staging")
    if (found := bench.alias("challenger")) != "1":
        raise _broken(f"Alias challenger names {_version(found)} after version 1 was set to Staging.")
    if _refused(lambda: bench.transition("3", "Staging")):
        return "refused; challenger → 1"
    if _allows_several(bench) is False:
        raise _broken("Versions 1 and 3 are both in Staging, and a model may have one challenger.")
    return "accepted: this guard allows several challengers"


def _allows_several(bench: Bench) -> bool | None:
    """Whether the guard is set to allow several challengers; None if that cannot be seen from here."""
    from mlflowctl.database import guard
    from mlflowctl.database.connect import admin

    if bench.context.database is None:
        return None
    with admin(bench.context.database) as connection:
        settings = guard.inspect(connection).settings
    return bool(settings and settings.several_challengers)


def _refused(attempt: Callable[[], object]) -> bool:
    """Whether the guard refused the attempt; any other failure is raised on."""
    from mlflow.exceptions import MlflowException

    try:
        attempt()
    except MlflowException as exc:
        if GUARD in str(exc):
            return True
        raise
    return False


def _broken(what: str) -> FindingsError:
    return FindingsError(
        short(what, 600),
        state="The guard is gone or altered: promotions by plain clients are not safe.",
        next="mlflowctl bootstrap",
    )


def _version(found: str | None) -> str:
    return f"version {found}" if found else "no version"


CATALOG = SmokeStep("guard-catalog", "guard: unaltered", "look at the guard", catalog, ("api",))
PROMOTION = SmokeStep(
    "guard-promotion", "guard: a second Production", "promote a version", promotion, ("stages",)
)
CHAMPION_ARCHIVED = SmokeStep(
    "guard-champion-archived",
    "guard: the champion archived",
    "test archiving the champion",
    champion_archived,
    ("guard-promotion",),
)
CHAMPION_DELETED = SmokeStep(
    "guard-champion-deleted",
    "guard: the champion deleted",
    "test deleting the champion",
    champion_deleted,
    ("guard-champion-archived",),
)
ALIAS_ASTRAY = SmokeStep(
    "guard-alias-astray",
    "guard: an alias moved astray",
    "test moving alias champion",
    alias_astray,
    ("guard-promotion",),
)
SECOND_STAGING = SmokeStep(
    "guard-second-staging",
    "guard: a second Staging",
    "test a second challenger",
    second_staging,
    ("guard-promotion",),
)
