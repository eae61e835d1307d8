"""Starting a trial, watching it, ending it, and everything that it started."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.sandbox import account, environments, trial
from mlflowctl.registry.sandbox.trial import NotBelievable, Trial, clean

if TYPE_CHECKING:
    import pandas

HERE = Path(__file__).parent
FILE_LIMIT = 1 << 30  # bytes of any one file that the model writes
TAIL = 4000  # bytes of what the model printed that are kept
GRACE = 0.02  # seconds between two looks at a running trial
PASSED_ON = (
    "LANG",
    "LC_ALL",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# What interpreters and libraries read. Not all of /etc, /proc only because nothing runs without it.
SYSTEM = (
    *("/usr", "/bin", "/lib", "/lib32", "/lib64", "/proc", "/sys", "/etc/ld.so.cache", "/etc/ssl/certs"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/localtime", "/etc/mime.types"),
    *("/etc/os-release", "/etc/fonts", "/etc/alternatives", "/dev/urandom", "/dev/random"),
    *("/opt/rocm", "/opt/intel"),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/shm", "/dev/dri", "/dev/kfd", "/dev/nvidia0", "/dev/nvidiactl")  # noqa: S108


def run_trial(
    model_folder: Path,
    rows: pandas.DataFrame | None,
    limits: Checks,
    *,
    repeat_latency: int = 50,
    network: bool = False,
) -> Trial:
    """Load a model in a process of its own, predict, measure, and end whatever it started.

    Args:
        model_folder: that holds ``MLmodel``; the model can read it and not write it.
        rows: the model's input, one prediction each; None to try the input example alone.
        limits: time (seconds of wall clock), memory (MB of address space) and environment.
        repeat_latency: how many one-row predictions are timed.
        network: True leaves the network open to the model's code.

    Returns:
        What was found. A model that fails, hangs, or grows too large is an answer and no exception.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlflowctl-trial-"))
    try:
        environment = environments.prepare(model_folder, limits.environment)
        order = _Order(model_folder.resolve(), rows, limits, repeat_latency, network)
        return _run(folder, order, environment)
    except environments.NoEnvironment as exc:
        return Trial(False, exc.what, environment="uv", next=exc.next, attempted=not exc.inconclusive)
    except MlflowctlError as exc:
        return Trial(False, exc.what, next=exc.next, attempted=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Order:
    """What is to be tried, and how; the arguments of ``run_trial``."""

    model: Path
    rows: pandas.DataFrame | None
    limits: Checks
    repeat: int
    network: bool


def _run(folder: Path, order: _Order, environment: environments.Environment) -> Trial:
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    shutil.copy(HERE / "child.py", folder / "child.py")
    if order.rows is not None:
        try:
            order.rows.to_parquet(folder / "rows.parquet")
        except Exception as exc:
            return Trial(False, f"The rows cannot be handed to the model: {exc}", attempted=False)
    _write_jobs(folder, order, environment)
    needed = [Path(sys.executable), HERE / "confine.py", environment.python, order.model / "MLmodel"]
    user, notes = account.choose(folder, needed)
    ended, missing = _watch(folder, environment, user, order.limits.timeout_seconds)
    found = Trial(False, environment=environment.name, notes=(*notes, *missing))
    return _judge(folder, found, ended, len(order.rows) if order.rows is not None else None)


def _write_jobs(folder: Path, order: _Order, environment: environments.Environment) -> None:
    """What child.py reads, and what confine.py reads before it becomes child.py."""
    work = {
        "model": str(order.model),
        "rows": str(folder / "rows.parquet") if order.rows is not None else "",
        "result": str(folder / "result.json"),
        "predictions": str(folder / "predictions.npy"),
        "repeat": order.repeat,
        "timeout": order.limits.timeout_seconds,
        "memory_mb": order.limits.memory_mb,
    }
    (folder / "work.json").write_text(json.dumps(work))
    job = {
        "limits": _rlimits(order.limits),
        "read": [*SYSTEM, *environment.readable, str(order.model)],
        "write": [*DEVICES, str(folder)],
        "network": order.network,
        "command": [str(environment.python), "-I", "-B", str(folder / "child.py"), str(folder / "work.json")],
    }
    (folder / "job.json").write_text(json.dumps(job))


def _judge(folder: Path, found: Trial, ended: str, rows: int | None) -> Trial:
    if ended:
        return replace(found, error=ended)
    try:
        found = replace(found, **trial.read_result(folder / "result.json"))
        if found.ok and rows is not None:
            found = replace(found, predictions=trial.read_predictions(folder / "predictions.npy", rows))
    except NotBelievable as exc:
        return replace(found, ok=False, error=f"The trial left no usable result: {exc}.")
    return found


def _rlimits(limits: Checks) -> dict[str, int]:
    cores = os.cpu_count() or 1
    return {
        "RLIMIT_AS": limits.memory_mb << 20,
        "RLIMIT_CPU": int(limits.timeout_seconds * cores) + 5,  # the wall clock is the one that counts
        "RLIMIT_FSIZE": FILE_LIMIT,
        "RLIMIT_CORE": 0,
    }


def _watch(
    folder: Path, environment: environments.Environment, user: str | None, timeout: float
) -> tuple[str, list[str]]:
    """Run it. Returns why it ended ("" if by itself), and the protections that could not be given."""
    reading, writing = os.pipe()
    confine = [sys.executable, "-I", "-S", str(HERE / "confine.py"), str(folder / "job.json"), str(writing)]
    more: dict[str, Any] = (
        {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    )
    process = subprocess.Popen(
        confine,
        cwd=folder,
        env=_environment(folder, environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[writing],
        **more,
    )
    os.close(writing)
    printed = bytearray()
    reader = threading.Thread(target=_drain, args=(process.stdout, printed), daemon=True)
    reader.start()
    try:
        with os.fdopen(reading, "rb") as status:
            missing = [clean(line) for line in status.read(TAIL).decode(errors="replace").splitlines()]
        in_time = _wait(process.pid, timeout)
    finally:
        _end(process)
    reader.join(1)
    if not in_time:
        return f"It had not ended after {timeout:g} seconds, and was killed.", missing
    return _how_it_ended(process.returncode, bytes(printed)), missing


def _wait(pid: int, timeout: float) -> bool:
    """Wait without reaping, so that the number of the process group stays taken. False: time is up."""
    until = time.monotonic() + timeout
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            return False
        time.sleep(GRACE)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group: also after a good end, for what the model left running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _drain(stream: IO[bytes] | None, kept: bytearray) -> None:
    """Read what is printed for as long as somebody prints, and keep the end of it."""
    while stream and (piece := os.read(stream.fileno(), 1 << 16)):
        kept += piece
        del kept[:-TAIL]


def _how_it_ended(code: int, printed: bytes) -> str:
    if code == 0:
        return ""
    lines = printed.decode(errors="replace").strip().splitlines()
    last = f" It last printed: {clean(lines[-1])}" if lines else ""
    if code < 0:
        name = signal.Signals(-code).name
        hint = {"SIGXCPU": ", its processor time was used up", "SIGKILL": ", perhaps out of memory"}.get(
            name, ""
        )
        return f"It was ended by {name}{hint}.{last}"
    return f"It ended with exit code {code}.{last}"


def _environment(folder: Path, environment: environments.Environment) -> dict[str, str]:
    """Nothing of the caller's but the language and the number of threads."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "LANG": "C.UTF-8",
        **passed,
        "PATH": f"{environment.python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "DO_NOT_TRACK": "true",
    }
