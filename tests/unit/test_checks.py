"""The final checks, each by itself: what passes, what fails, and what is said."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from tests.unit.strange_models import COLUMN, make

from mlflowctl.registry.artifacts import Manifest
from mlflowctl.registry.checks import CheckOutcome, Subject, final_checks
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.sandbox import Trial
from mlflowctl.registry.verdict import Verdict

GOOD = Trial(
    ok=True,
    predictions=numpy.array([1.0, 2.0]),
    example="ok",
    load_seconds=2.0,
    predict_seconds=0.1,
    latency_p50_ms=8.0,
    latency_p95_ms=10.0,
    peak_memory_mb=300.0,
    environment="local Python 3.11.7",
)
OPTIONAL = {"type": "string", "name": "note", "required": False}
NEEDED = {"type": "string", "name": "note", "required": True}


def manifest_of(folder: Path) -> Manifest:
    files = {
        str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return Manifest(hashes, {name: len(content) for name, content in files.items()})


def subject(folder: Path, version: int = 2, trial: Trial = GOOD, **options) -> Subject:
    found = manifest_of(make(folder, **options))
    return Subject(version, folder, found, found.digest, trial, found)


def judged(name: str, challenger: Subject, champion: Subject | None = None, policy: Checks | None = None):
    results = final_checks(challenger, champion, policy or Checks())
    return next(one for one in results if one.name == name)


def test_a_good_version_passes_all_and_each_says_what_it_saw(tmp_path):
    results = final_checks(subject(tmp_path / "new"), subject(tmp_path / "old", 1), Checks())
    assert [(one.name, one.verdict) for one in results] == [
        (name, Verdict.PASS)
        for name in ("digests", "loads", "signature", "example", "latency", "memory", "environment")
    ]
    assert all(one.title and one.detail and not one.next for one in results)


def test_no_failure_hides_another(tmp_path):
    bad = subject(
        tmp_path / "bad", signature=False, requirements="scikit-learn\n", trial=Trial(False, "loading: x")
    )
    (tmp_path / "bad" / "MLmodel").write_text("[")
    bad = replace(bad, registered_digest="0" * 64)
    results = final_checks(bad, None, Checks(custom=("no.such:check",)))
    found = {one.name: one.verdict for one in results}
    assert {name for name, verdict in found.items() if verdict is Verdict.FAIL} == {
        "digests",
        "loads",
        "signature",
        "environment",
        "no.such:check",
    }
    assert found["example"] is Verdict.INCONCLUSIVE
    assert next(one.detail for one in results if one.name == "signature") == "MLmodel is not YAML."


def test_a_check_that_stumbles_fails_and_the_others_go_on(tmp_path):
    odd = replace(subject(tmp_path / "odd"), trial=None)
    found = {one.name: one for one in final_checks(odd, None, Checks())}
    assert found["loads"].verdict is Verdict.FAIL
    assert "stumbled: AttributeError" in found["loads"].detail
    assert found["digests"].verdict is found["signature"].verdict is Verdict.PASS


def test_files_that_changed_vanished_or_are_new_are_named(tmp_path):
    found = subject(tmp_path / "new")
    files = dict(found.manifest.files)
    files["MLmodel"] = "0" * 64
    files["extra.py"] = files.pop("requirements.txt")
    result = judged("digests", replace(found, manifest=Manifest(files, found.manifest.sizes)))
    assert result.verdict is Verdict.FAIL
    assert "MLmodel changed, requirements.txt is missing, extra.py is new" in result.detail


def test_without_a_registered_digest_nothing_is_known(tmp_path):
    result = judged(
        "digests", replace(subject(tmp_path / "new"), registered_digest=None, registered_manifest=None)
    )
    assert result.verdict is Verdict.INCONCLUSIVE


def test_a_changed_champion_is_no_verdict_on_the_challenger(tmp_path):
    old = replace(subject(tmp_path / "old", 1), registered_digest="0" * 64, registered_manifest=None)
    result = judged("digests", subject(tmp_path / "new"), old)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "champion" in result.detail


def test_the_digest_depends_on_every_file_and_name_and_not_on_their_order():
    one = Manifest({"a": "1", "b": "2"}, {})
    assert one.digest == Manifest({"b": "2", "a": "1"}, {}).digest
    assert one.digest == hashlib.sha256(b'{"a":"1","b":"2"}').hexdigest()
    assert len({one.digest, Manifest({"a": "2", "b": "1"}, {}).digest, Manifest({"a": "1"}, {}).digest}) == 3


def test_a_model_that_does_not_load_fails_and_one_never_started_is_inconclusive(tmp_path):
    folder = subject(tmp_path / "new")
    result = judged("loads", replace(folder, trial=Trial(False, "loading: ImportError: no such thing")))
    assert (result.verdict, result.detail) == (Verdict.FAIL, "loading: ImportError: no such thing")
    never = Trial(False, "there is no uv", next="pip install uv", attempted=False)
    result = judged("loads", replace(folder, trial=never))
    assert (result.verdict, result.next) == (Verdict.INCONCLUSIVE, "pip install uv")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"signature": False}, "says nothing about the inputs"),
        ({"inputs": [{**COLUMN[0], "type": "string"}]}, "input x is string instead of double"),
        ({"inputs": [{**COLUMN[0], "name": "y"}]}, "input x is gone; input y is new and required"),
        ({"inputs": [*COLUMN, NEEDED]}, "input note is new and required"),
        ({"outputs": [{"type": "string"}]}, "the output is string instead of a tensor of float64"),
        ({"outputs": []}, "says nothing about the outputs"),
    ],
)
def test_signatures_that_callers_of_the_champion_would_stumble_over_fail(tmp_path, now, said):
    result = judged("signature", subject(tmp_path / "new", **now), subject(tmp_path / "old", 1))
    assert result.verdict is Verdict.FAIL
    assert said in result.detail
    assert result.next


def test_an_optional_input_that_became_required_fails(tmp_path):
    new = subject(tmp_path / "new", inputs=[*COLUMN, NEEDED])
    result = judged("signature", new, subject(tmp_path / "old", 1, inputs=[*COLUMN, OPTIONAL]))
    assert "input note was optional and is required" in result.detail


def test_a_new_optional_input_is_compatible(tmp_path):
    new = subject(tmp_path / "new", inputs=[*COLUMN, OPTIONAL])
    result = judged("signature", new, subject(tmp_path / "old", 1))
    assert result.verdict is Verdict.PASS
    assert "new and optional: note" in result.detail


def test_a_champion_without_a_signature_cannot_be_compared_with(tmp_path):
    result = judged("signature", subject(tmp_path / "new"), subject(tmp_path / "old", 1, signature=False))
    assert result.verdict is Verdict.PASS
    assert "no signature to compare with" in result.detail


@pytest.mark.parametrize("example", ["absent", "not finite", "not deterministic", "failed: KeyError: 'x'"])
def test_an_example_that_does_not_predict_well_fails(tmp_path, example):
    result = judged("example", subject(tmp_path / "new", trial=replace(GOOD, example=example)))
    assert result.verdict is Verdict.FAIL
    assert result.next


@pytest.mark.parametrize(
    ("now", "before", "ratio", "verdict"),
    [
        (14.9, 10.0, 1.5, Verdict.PASS),
        (15.1, 10.0, 1.5, Verdict.FAIL),
        (1.9, 0.2, 1.5, Verdict.PASS),  # ten times slower, and still nothing but noise
        (9.0, 0.2, 1.5, Verdict.FAIL),
        (900.0, 1.0, None, Verdict.PASS),
        (9.0, None, 1.5, Verdict.INCONCLUSIVE),
        (None, 1.0, 1.5, Verdict.INCONCLUSIVE),
    ],
)
def test_latency_is_held_against_the_champions_unless_it_is_noise(tmp_path, now, before, ratio, verdict):
    new = subject(tmp_path / "new", trial=replace(GOOD, latency_p95_ms=now))
    old = subject(tmp_path / "old", 1, trial=replace(GOOD, latency_p95_ms=before))
    assert judged("latency", new, old, Checks(latency_ratio=ratio)).verdict is verdict
    assert judged("latency", new, None, Checks(latency_ratio=ratio)).verdict is Verdict.PASS


@pytest.mark.parametrize(("now", "verdict"), [(590.0, Verdict.PASS), (610.0, Verdict.FAIL)])
def test_memory_is_held_against_the_champions(tmp_path, now, verdict):
    new = subject(tmp_path / "new", trial=replace(GOOD, peak_memory_mb=now))
    assert judged("memory", new, subject(tmp_path / "old", 1), Checks(memory_ratio=2.0)).verdict is verdict


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("scikit-learn==1.9.1", True),
        ('pandas[parquet]==2.2.0 ; python_version >= "3.9"', True),
        ("numpy===1.26", True),
        ("scikit-learn", False),
        ("scikit-learn>=1.0", False),
        ("scikit-learn==1.*", False),
        ("git+https://example.org/own.git", False),
        ("own @ https://example.org/own-1-py3-none-any.whl", False),
        ("own @ https://example.org/own-1-py3-none-any.whl#sha256=abc", True),
        ("-r other.txt", False),
        ("-e .", False),
        ("# a remark", True),
    ],
)
def test_every_requirement_must_name_one_version(tmp_path, line, good):
    result = judged("environment", subject(tmp_path / "new", requirements=f"mlflow==3.17.2\n\n{line}\n"))
    assert (result.verdict is Verdict.PASS) is good, result.detail
    assert good or line in result.detail


def test_the_python_version_must_be_recorded(tmp_path):
    assert judged("environment", subject(tmp_path / "new", python=None)).verdict is Verdict.FAIL


def test_a_local_trial_with_other_versions_says_so(tmp_path):
    result = judged("environment", subject(tmp_path / "new", requirements="mlflow==2.0.0\n"))
    assert result.verdict is Verdict.PASS
    assert "Tried with other versions here: mlflow 3" in result.detail


OWN = """
from mlflowctl.registry.checks import CheckOutcome
def yes(given): return True
def no(given): return False
def text(given): return "too many rules" if given.version == 2 else ""
def empty(given): return ""
def pair(given): return (len(given.predictions) == 2, "two rows")
def typed(given): return CheckOutcome(None, "too early", "wait a day")
def raises(given): raise RuntimeError("no such table")
def leaves(given): raise SystemExit(3)
def nothing(given): return None
def compares(given): return given.champion.version == 1 and "MLmodel" in given.files
"""


@pytest.mark.parametrize(
    ("name", "verdict", "said"),
    [
        ("yes", Verdict.PASS, "True"),
        ("no", Verdict.FAIL, "False"),
        ("text", Verdict.FAIL, "too many rules"),
        ("empty", Verdict.PASS, ""),
        ("pair", Verdict.PASS, "two rows"),
        ("typed", Verdict.INCONCLUSIVE, "too early"),
        ("raises", Verdict.FAIL, "RuntimeError: no such table"),
        ("leaves", Verdict.FAIL, "SystemExit"),
        ("nothing", Verdict.FAIL, "it answered NoneType"),
        ("compares", Verdict.PASS, ""),
        ("absent", Verdict.FAIL, "no attribute 'absent'"),
    ],
)
def test_own_checks_answer_in_their_own_way_and_whatever_they_raise_fails(
    tmp_path, monkeypatch, name, verdict, said
):
    (tmp_path / "own_checks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    path = f"own_checks:{name}"
    result = judged(path, subject(tmp_path / "new"), subject(tmp_path / "old", 1), Checks(custom=(path,)))
    assert (result.verdict, said in result.detail) == (verdict, True), result.detail
    assert CheckOutcome(True).detail == ""


def test_an_mlmodel_with_code_in_it_is_not_run(tmp_path):
    folder = subject(tmp_path / "new")
    (tmp_path / "new" / "MLmodel").write_text(f"!!python/object/apply:os.mkdir ['{tmp_path}/was-run']")
    assert judged("signature", folder).verdict is Verdict.FAIL
    assert not (tmp_path / "was-run").exists()
