"""Are the files still those that were registered?"""

from __future__ import annotations

from mlflowctl.registry.checks.subject import Subject
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.verdict import CheckResult, Verdict

SHOWN = 10  # names of files in one sentence


def check(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:  # noqa: ARG001
    """Compare the files with the digest that was kept at registration.

    A changed champion is inconclusive: nothing speaks against the challenger, but what it was compared with
    is not what was promoted.
    """
    if challenger.registered_digest is None:
        return _result(
            Verdict.INCONCLUSIVE,
            "No digest was kept when this version was registered.",
            "Register it with mlflowctl model register, or adopt it: mlflowctl model status",
        )
    if challenger.manifest.digest != challenger.registered_digest:
        return _result(
            Verdict.FAIL,
            f"The artifacts are not those that were registered: {differences(challenger)}.",
            "Find out who changed them; register the model again from its run.",
        )
    if champion and champion.registered_digest not in (None, champion.manifest.digest):
        return _result(
            Verdict.INCONCLUSIVE,
            f"The champion's artifacts are not those that were registered: {differences(champion)}.",
            "Find out who changed them: mlflowctl model audit",
        )
    sizes = challenger.manifest.sizes
    amount = f"{len(sizes)} file{'s' if len(sizes) != 1 else ''}, {sum(sizes.values()):,} bytes"
    return _result(Verdict.PASS, f"{amount}, digest {challenger.manifest.digest[:12]}…")


def differences(subject: Subject) -> str:
    """The files that changed, vanished or are new, by name if the registered manifest is known."""
    if subject.registered_manifest is None:
        return f"digest {subject.manifest.digest[:12]}… instead of {str(subject.registered_digest)[:12]}…"
    now, then = subject.manifest.files, subject.registered_manifest.files
    found = [f"{name} changed" for name in sorted(now.keys() & then.keys()) if now[name] != then[name]]
    found += [f"{name} is missing" for name in sorted(then.keys() - now.keys())]
    found += [f"{name} is new" for name in sorted(now.keys() - then.keys())]
    if not found:
        return "the manifest that was kept does not belong to the digest that was kept"
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def _result(verdict: Verdict, detail: str, next: str = "") -> CheckResult:
    return CheckResult("digests", "", verdict, detail, next)
