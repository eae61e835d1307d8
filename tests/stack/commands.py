"""The test's side of the command runner: start a command, wait for it, read what it said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

WRITE = r"^(PUT|POST|PATCH|DELETE) "
SWITCH = r"/model-versions/transition-stage$"


@dataclass(frozen=True)
class At:
    """A moment in the life of a command.

    Attributes:
        when: before the request is sent, or after it was answered.
        number: the how-manieth request of this kind.
        request: pattern of ``METHOD path``.
        signal: that the command sends itself.
    """

    when: Literal["before", "after"]
    number: int = 1
    request: str = WRITE
    signal: int = signal.SIGKILL


@dataclass
class Done:
    """How a command ended.

    Attributes:
        arguments: of the command.
        code: its exit code; negative: the signal that ended it.
        out: stdout.
        err: stderr.
        trace: every request to a server, ``METHOD path``.
    """

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str
    trace: list[str]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def expect(self, *codes: int) -> Done:
        """The same, after checking that it ended as it may."""
        assert self.code in (codes or (0,)), (
            f"{' '.join(self.arguments)}: exit {self.code}\n{self.out}{self.err}"
        )
        assert "Traceback" not in self.err, self.err
        return self


class Started:
    """A command that is running."""

    def __init__(self, runner: Runner, pid: int, folder: Path, arguments: tuple[str, ...]) -> None:
        self.runner, self.pid, self.folder, self.arguments = runner, pid, folder, arguments

    def wait(self, timeout: float = 90) -> Done:
        deadline, pause = time.monotonic() + timeout, 0.005
        while (code := self.runner.ask({"poll": self.pid})) is None:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"{' '.join(self.arguments)}: {(self.folder / 'err').read_text()}")
            time.sleep(pause)
            pause = min(pause * 1.2, 0.05)
        said = [(self.folder / name).read_text() for name in ("out", "err", "trace")]
        return Done(self.arguments, code, said[0], said[1], said[2].splitlines())

    def wait_until_stopped(self, timeout: float = 30) -> None:
        """Until the command has suspended itself."""
        import psutil

        deadline = time.monotonic() + timeout
        while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline, f"{' '.join(self.arguments)} did not stop"
            time.sleep(0.01)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class Runner:
    """One warm process that forks commands; may be used by several threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.scratch = tempfile.TemporaryDirectory(prefix="mlflowctl-commands-")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("command_runner.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, request: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def start(
        self,
        data_dir: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        at: At | None = None,
        ttl: float = 0,
    ) -> Started:
        """Start ``mlflowctl ARGUMENTS`` on the stack in ``data_dir``.

        Args:
            data_dir: of the stack.
            arguments: of the command.
            env: in addition to a clean environment.
            at: where the command sends itself a signal.
            ttl: seconds that its leases last; 0: as long as ever.
        """
        environment = {"MLFLOWCTL_DATA_DIR": str(data_dir), "CI": "true", **(env or {})}
        return self._start(arguments, environment, asdict(at) if at else None, ttl)

    def run(self, *arguments: str, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run ``mlflowctl ARGUMENTS`` as ``subprocess.run`` would.

        Args:
            arguments: of the command.
            env: in addition to a clean environment.
            timeout: seconds.
        """
        done = self._start(arguments, env, None, 0).wait(timeout)
        return subprocess.CompletedProcess(list(arguments), done.code, done.out, done.err)

    def _start(
        self, arguments: tuple[str, ...], env: dict[str, str], at: dict[str, Any] | None, ttl: float
    ) -> Started:
        folder = Path(tempfile.mkdtemp(dir=self.scratch.name))
        (folder / "trace").touch()
        request = {"args": arguments, "env": env, "folder": str(folder), "at": at, "ttl": ttl}
        return Started(self, self.ask(request), folder, arguments)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.scratch.cleanup()


class Shared:
    """The runner of this worker, started when the first command wants it."""

    made: Runner | None = None

    @classmethod
    def get(cls) -> Runner:
        cls.made = cls.made or Runner()
        return cls.made

    @classmethod
    def close(cls) -> None:
        if cls.made is not None:
            cls.made.close()
            cls.made = None
