"""Steps about a version's way: stages, and aliases that mean nothing to the guard."""

from __future__ import annotations

from mlflowctl.smoke.bench import Bench, SmokeStep
from mlflowctl.smoke.meaning import ProofError, is_missing

WAY = ("Staging", "Archived", "None")


def stages(bench: Bench) -> str:
    """One version through the stages in which it is not champion; that is the guard's matter."""
    for stage in WAY:
        bench.transition("1", stage)
        if (found := bench.stage_of("1")) != stage:
            raise ProofError(
                f"Version 1 was set to stage {stage} and reads back as {found}.",
                state="Stage changes are not kept; nothing can be promoted.",
                next="mlflowctl doctor",
            )
    return " → ".join(("None", *WAY))


def aliases(bench: Bench) -> str:
    """An alias is set, resolves, moves, and is gone after its removal."""
    client, token = bench.client, bench.token
    for version in ("1", "2"):
        client.set_registered_model_alias(token, "smoke", version)
        found = client.get_model_version_by_alias(token, "smoke").version
        if str(found) != version:
            raise _wrong(f"Alias smoke was set to version {version} and resolves to version {found}.")
    client.delete_registered_model_alias(token, "smoke")
    try:
        still = client.get_model_version_by_alias(token, "smoke")
    except Exception as exc:
        # A removed alias is answered as a wrong parameter, not as a missing thing.
        if is_missing(exc) or "alias smoke not found" in str(exc):
            return "set, resolved, moved, removed"
        raise
    raise _wrong(f"Alias smoke was removed and still resolves to version {still.version}.")


def _wrong(what: str) -> ProofError:
    return ProofError(
        what, state="Consumers that follow aliases load the wrong version.", next="mlflowctl doctor"
    )


STAGES = SmokeStep("stages", "stage transitions", "change stages", stages, ("registered",))
ALIASES = SmokeStep("aliases", "aliases", "set an alias", aliases, ("registered",))
