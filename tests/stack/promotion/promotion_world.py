"""A model under test: versions made quickly, a validation that is a stub, and what must hold afterwards."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests
from tests.stack.commands import Done, Runner, Started

from mlflowctl.registry import leases, ledger_state, reconcile, registration
from mlflowctl.registry.audit import Audit, audit
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.evidence import store
from mlflowctl.registry.evidence.model import Evidence, ModelFacts
from mlflowctl.registry.ledger import now
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.policy_file import for_model
from mlflowctl.registry.port import DIGEST_TAG, EVIDENCE_TAG, VALIDATION_STATUS
from mlflowctl.registry.recording import ledger_body
from mlflowctl.registry.verdict import CheckResult, Verdict

POLICY = """version: 1
models:
  {name}:
    approvals: {approvals}
    holdout: {{data: holdout.csv, target: target}}
    metrics:
      - {{name: roc_auc, direction: higher, role: primary, rule: superior}}
"""
_numbers = itertools.count(1)


@dataclass
class World:
    """One registered model on a stack, and commands about it.

    Attributes:
        desk: the registry's own library on that stack.
        runner: forks the commands.
        data_dir: of the stack.
        source: address of a logged model, which every version is made of.
        name: of the registered model.
        folder: where its policy is.
    """

    desk: Desk
    runner: Runner
    data_dir: Path
    source: str
    name: str
    folder: Path

    @property
    def policy_file(self) -> Path:
        return self.folder / "promotion.yaml"

    @property
    def policy(self) -> Policy:
        return for_model(self.policy_file, self.name)

    def write_policy(self, approvals: int = 0, **more: Any) -> None:
        text = POLICY.format(name=json.dumps(self.name, ensure_ascii=False), approvals=approvals)
        self.policy_file.write_text(text + "".join(f"    {key}: {value}\n" for key, value in more.items()))

    # Commands

    def start(self, *arguments: str, **how: Any) -> Started:
        return self.runner.start(self.data_dir, *arguments, **how)

    def run(self, *arguments: str, **how: Any) -> Done:
        """Run ``mlflowctl ARGUMENTS``, whatever comes of it."""
        return self.start(*arguments, **how).wait()

    def model(self, command: str, *arguments: object, **how: Any) -> Done:
        """``mlflowctl model COMMAND NAME ARGUMENTS``, with ``--yes`` and the policy where they belong."""
        return self.begin(command, *arguments, **how).wait()

    def begin(self, command: str, *arguments: object, **how: Any) -> Started:
        extra = [str(one) for one in arguments]
        if command in ("promote", "plan", "validate", "register"):
            extra += ["--policy", str(self.policy_file)]
        if command in ("stage", "promote", "rollback", "archive", "reconcile"):
            extra += ["--yes"]
        return self.start("model", command, self.name, *extra, **how)

    # Preparing

    def plain(self, path: str, **body: object) -> requests.Response:
        """A plain MLflow client that knows nothing of the tool."""
        uri = f"{self.desk.context.tracking_uri}/api/2.0/mlflow/{path}"
        return requests.post(uri, json={"name": self.name, **body}, timeout=30)

    def transition(self, version: int, stage: str) -> requests.Response:
        """The call that the MLflow UI makes."""
        return self.plain(
            "model-versions/transition-stage", version=str(version), stage=stage,
            archive_existing_versions=stage in ("Production", "Staging"),
        )  # fmt: skip

    def versions(self, count: int) -> list[int]:
        """Register that many versions, as plain MLflow does; the tool adopts them when it touches them."""
        made = []
        for _ in range(count):
            body = {"source": self.source}
            if self.source.startswith("models:/"):
                body["model_id"] = self.source.removeprefix("models:/")
            else:  # mlflow-artifacts:/<experiment>/<run>/artifacts/…
                body["run_id"] = self.source.split("/")[2]
            answer = self.plain("model-versions/create", **body)
            assert answer.ok, answer.text
            made.append(int(answer.json()["model_version"]["version"]))
        return made

    def stage(self, version: int, *more: object) -> None:
        self.model("stage", version, "--reason", "test", *more).expect(0)

    def stub_validation(self, version: int, verdict: Verdict = Verdict.PASS, approvals: int = 0) -> None:
        """A validation that nobody made: real evidence and a real ledger entry, but no model was run."""
        subject, champion = self.desk.registry.version(self.name, version), self.champion
        subject = registration.adopt(self.desk, subject, "stub")
        facts = ModelFacts(artifact_digest=subject.tags[DIGEST_TAG]).as_dict()
        evidence = Evidence(
            id=uuid.uuid4().hex,
            model=self.name,
            version=version,
            champion=champion,
            verdict=verdict,
            at=now(),
            actor=self.desk.actor.as_dict(),
            reason="stub",
            policy=asdict(self.policy),
            holdout=None,
            look=1,
            alpha=0.05,
            gates=(),
            checks=(CheckResult("stub", "A stub in place of gates and checks", verdict, "no model was run"),),
            facts={"challenger": facts, "champion": facts if champion else None},
            environment={"mlflowctl": "0", "mlflow": "0", "python": "3", "machine": "test"},
        )
        stored = store.write(self.desk.objects.settings, evidence, "<html>stub</html>")
        body = ledger_body(evidence, stored)
        registration.append(self.desk, self.name, ledger_state.VALIDATED, "stub", body)
        status = {"pass": "passed", "fail": "failed"}.get(str(verdict), str(verdict))
        self.desk.registry.tag(self.name, version, EVIDENCE_TAG, f"{stored.key} {stored.sha256}")
        self.desk.registry.tag(self.name, version, VALIDATION_STATUS, status)

    def let_the_lease_run_out(self) -> None:
        """Time passes: whoever holds the model's lease has held it for too long."""
        stored = self.desk.objects.get(leases.key(self.name))
        record = json.loads(stored.body) if stored else {"released": True}
        if not record["released"]:
            record["ttl"] = -leases.SLACK - 1
            body = json.dumps(record).encode()
            assert self.desk.objects.replace(leases.key(self.name), body, stored.etag)

    def challenge(self, version: int) -> None:
        """Make it the challenger, with a pass."""
        self.stage(version)
        self.stub_validation(version)

    def promote(self, *versions: int) -> None:
        """Make each champion in turn."""
        for version in versions:
            self.challenge(version)
            self.model("promote", "--reason", "test").expect(0)

    # Looking

    @property
    def champion(self) -> int | None:
        found = self.desk.registry.champion(self.name)
        return found.version if found else None

    @property
    def state(self) -> dict[str, Any]:
        return self.desk.head(self.name).state

    def tag(self, version: int, key: str = VALIDATION_STATUS) -> str | None:
        return self.desk.registry.version(self.name, version).tags.get(key)

    def entries(self) -> list[dict[str, Any]]:
        """The ledger, oldest first."""
        return [dict(one.entry.__dict__) for one in self.desk.ledger(self.name).entries()]

    def audit(self) -> Audit:
        return audit(self.desk, self.name)

    def stages(self) -> dict[int, str]:
        return {one.version: one.stage for one in self.desk.registry.versions(self.name)}

    def assert_one_champion(self, *allowed: int) -> None:
        """Exactly one Production version, alias champion on it; one of those allowed, if any are named."""
        production = [version for version, stage in self.stages().items() if stage == "Production"]
        assert production == [self.champion]
        if allowed:
            assert self.champion in allowed

    def assert_in_order(self) -> None:
        """Nothing is left over: no intent, no finding, ledger and registry and tags say the same."""
        state = self.state
        assert state["open"] is None
        assert state["champion"] == self.champion
        found = self.audit()
        assert found.findings == []
        head = self.desk.head(self.name)
        assert found.entries == head.number
        for version in state["failed"]:
            assert self.tag(version) == "failed"
        left = [step for step in reconcile.plan(self.desk, self.name) if step.kind != "witness"]
        assert left == []  # a witness may lag behind the ledger, never contradict it: the audit has looked


def unique(prefix: str = "churn") -> str:
    """A name that no other test uses."""
    return f"{prefix}-{next(_numbers)}-{uuid.uuid4().hex[:6]}"
