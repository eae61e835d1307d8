"""Results that a model's code may have forged are read as what they are: bytes from a stranger."""

from __future__ import annotations

import io
import json
import math
import os
from pathlib import Path

import numpy
import pytest

from mlflowctl.registry.sandbox import trial
from mlflowctl.registry.sandbox.trial import NotBelievable


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("/tmp/pickle-was-run",)


def saved(array: object, **options: object) -> bytes:
    stream = io.BytesIO()
    numpy.save(stream, array, **options)
    return stream.getvalue()


def claiming(shape: tuple[int, ...]) -> bytes:
    """An array file whose header claims far more than follows."""
    stream = io.BytesIO()
    head = {"descr": "<f8", "fortran_order": False, "shape": shape}
    numpy.lib.format.write_array_header_1_0(stream, head)
    return stream.getvalue() + b"\0" * 24


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(saved(numpy.array([Bomb()] * 3, dtype=object), allow_pickle=True), id="pickle"),
        pytest.param(claiming((10**12,)), id="a header that claims 8 TB"),
        pytest.param(claiming((3, 10**9)), id="a header that claims wide rows"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x93NUMPY\x01\x00\xff\xff{", id="cut off"),
        pytest.param(saved(numpy.zeros(2)), id="too few"),
        pytest.param(saved(numpy.zeros((3, 2, 2))), id="three dimensions"),
        pytest.param(saved(numpy.zeros(3, dtype=[("a", "f8")])), id="records"),
    ],
)
def test_predictions_that_are_no_array_of_three_rows_are_refused(tmp_path, content):
    path = tmp_path / "predictions.npy"
    path.write_bytes(content)
    with pytest.raises(NotBelievable):
        trial.read_predictions(path, 3)
    assert not Path("/tmp/pickle-was-run").exists()


@pytest.mark.parametrize("values", [[1.5, math.nan, 3.0], [1, 2, 3], ["a", "ß", ""], [True, False, True]])
def test_numbers_texts_and_booleans_come_through(tmp_path, values):
    path = tmp_path / "predictions.npy"
    path.write_bytes(saved(numpy.array(values)))
    assert numpy.array_equal(trial.read_predictions(path, 3), numpy.array(values), equal_nan=values[0] == 1.5)


def test_what_a_header_claims_is_looked_at_before_memory_is_taken(tmp_path):
    (tmp_path / "predictions.npy").write_bytes(claiming((3, 10**9)))
    with pytest.raises(NotBelievable, match="no array of numbers"):
        trial.read_predictions(tmp_path / "predictions.npy", 3)


def test_links_pipes_and_long_files_are_not_read(tmp_path):
    (tmp_path / "secret").write_text('{"ok": true}')
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b" " * 101)
    for name in ("link", "pipe", "long", "absent"):
        with pytest.raises(NotBelievable, match=name):
            trial.read_back(tmp_path / name, 100)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"ok": "yes"}', "[" * 200_000, "{}"])
def test_a_result_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(NotBelievable):
        trial.read_result(tmp_path / "result.json")


def test_values_of_a_wrong_kind_are_left_out(tmp_path):
    forged = {
        "ok": True,
        "error": "\x1b]0;owned\x07" * 1000,
        "example": "splendid",
        "load_seconds": "soon",
        "predict_seconds": float("nan"),
        "latency_p95_ms": -1,
        "latency_p50_ms": True,
        "peak_memory_mb": 10**400,
        "version": 99,
    }
    (tmp_path / "result.json").write_text(json.dumps(forged))
    found = trial.read_result(tmp_path / "result.json")
    assert found == {
        "ok": True,
        "error": "",
        "example": "failed: splendid",
        **dict.fromkeys(("load_seconds", "predict_seconds", "latency_p50_ms", "latency_p95_ms")),
        "peak_memory_mb": None,
    }


def test_text_cannot_steer_a_terminal_and_is_not_endless():
    assert trial.clean("a\x1b[2Jb\r") == "a?[2Jb?"
    assert len(trial.clean("x" * 10**6)) == trial.TEXT_LIMIT + 1
