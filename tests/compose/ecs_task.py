"""A task of ECS on the Docker engine: the container definitions that Terraform computes, run as planned.

As Fargate does it: the containers of a task share one network namespace, its volumes are empty and belong
to root, and a container starts when what it depends on is as far as its definition says.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.compose.projects import ComposeProject
from tests.terraform import module_setup

MODULE = "tracking-server"
# What a definition may say. Something new must be honoured here before the test says anything about it.
HONOURED = {
    "name", "user", "entryPoint", "command", "environment", "secrets", "mountPoints", "dependsOn",
    "privileged", "readonlyRootFilesystem", "linuxParameters", "healthCheck", "portMappings", "stopTimeout",
}  # fmt: skip
OF_AWS = {"image", "essential", "logConfiguration"}
NEEDS_STAND_INS = "MLFLOWCTL_ARTIFACT_BUCKET"  # containers with this variable talk to RDS and S3
PAUSE = "pause"

Container = dict[str, Any]


@dataclass(frozen=True)
class Definition:
    """A planned ``aws_ecs_task_definition``."""

    family: str
    memory: int
    volumes: tuple[str, ...]
    containers: dict[str, Container]

    @property
    def host(self) -> str:
        """The public name, under which the load balancer passes requests on."""
        variables = next(one["environment"] for one in self.containers.values() if "environment" in one)
        uri = next(one["value"] for one in variables if one["name"] == "MLFLOW_TRACKING_URI")
        return urlsplit(uri).netloc


def planned(module: str = MODULE) -> dict[str, Definition]:
    """A module's task definitions by their resource's key or name, from a plan of the provider, offline."""
    return {
        one.get("index") or one["name"]: _definition(one["change"]["after"])
        for one in module_setup.planned(module)
        if one["type"] == "aws_ecs_task_definition"
    }


def _definition(after: Mapping[str, Any]) -> Definition:
    containers = {one["name"]: one for one in json.loads(after["container_definitions"])}
    for one in containers.values():
        assert not one.keys() - HONOURED - OF_AWS, f"not honoured here: {one.keys() - HONOURED - OF_AWS}"
    volumes = tuple(one["name"] for one in after["volume"])
    return Definition(after["family"], int(after["memory"]), volumes, containers)


@dataclass(frozen=True)
class Ended:
    """How a container ended, what it printed, and the seconds from its start to its end."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class EcsTask:
    """One task, for as long as ``with task.made()`` lasts.

    Args:
        project: the Compose project whose networks have what stands in for RDS and S3.
        definition: what Terraform planned.
        name: of this task, unique in the project.
        image: in place of the planned one.
        stand_ins: values of variables that replace AWS's, or are added.
        secrets: the values that ECS would fetch, by the variable that it sets.
        port: of this machine's loopback, where the task's one port is reached; without it, it is not.
    """

    project: ComposeProject
    definition: Definition
    name: str
    image: str
    stand_ins: Mapping[str, str] = field(repr=False)  # keys among them
    secrets: Mapping[str, str] = field(repr=False)
    port: int | None = None
    ended: dict[str, Ended] = field(default_factory=dict)
    healthy_after: dict[str, float] = field(default_factory=dict)
    _started: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def made(self) -> Iterator[EcsTask]:
        """Make its network and volumes; in the end remove all of it, by name."""
        try:
            for volume in self.definition.volumes:
                self._docker("volume", "create", self.called(volume))
            self._pause()
            yield self
        finally:
            containers = [self.called(one) for one in (*self._started, PAUSE)]
            self._docker("rm", "--force", *containers, check=False)
            volumes = map(self.called, self.definition.volumes)
            self._docker("volume", "rm", "--force", *volumes, check=False)

    def reach(self, name: str, condition: str) -> None:
        """Bring a container as far as ``condition`` (START, SUCCESS, HEALTHY), what it depends on first."""
        if name not in self._started:
            self._reach_needed(name)
            self.start(name)
        if condition == "SUCCESS":
            ended = self.ended.get(name) or self.wait(name)
            assert ended.code == 0, f"{name} ended with {ended.code}\n{ended.out}\n{ended.err}"
        elif condition == "HEALTHY":
            self._wait_healthy(name)
        else:
            assert condition == "START", condition

    def run(self, name: str, *command: str) -> Ended:
        """Run a container to its end after what it depends on; a command overrides the planned one."""
        self._reach_needed(name)
        self.start(name, *command)
        return self.wait(name)

    def start(self, name: str, *command: str) -> None:
        """Start one container as its definition says, wherever the others are."""
        one = self.definition.containers[name]
        entry = one.get("entryPoint", [])
        with tempfile.NamedTemporaryFile("w", suffix=".env") as variables:  # not on a command line
            variables.writelines(f"{key}={value}\n" for key, value in self._variables(one).items())
            variables.flush()
            self._started[name] = time.monotonic()
            self._docker(
                "create", "--name", self.called(name), "--network", f"container:{self.called(PAUSE)}",
                "--env-file", variables.name, *self._limits(one), *self._mounts(one),
                *(["--entrypoint", entry[0]] if entry else []), self.image,
                *entry[1:], *(command or one.get("command", [])),
            )  # fmt: skip
        self._docker("start", self.called(name))

    def wait(self, name: str, timeout: float = 120) -> Ended:
        """Until a container ends by itself."""
        code = int(self._docker("wait", self.called(name), timeout=timeout).stdout)
        seconds = time.monotonic() - self._started[name]
        logs = self.logs(name)
        self.ended[name] = Ended(code, logs.stdout, logs.stderr, seconds)
        return self.ended[name]

    def stop(self, name: str) -> Ended:
        """As ECS stops a container: SIGTERM, and SIGKILL after the planned ``stopTimeout``."""
        grace = self.definition.containers[name].get("stopTimeout", 30)
        self._started[name] = time.monotonic()
        self._docker("stop", "-t", str(grace), self.called(name), timeout=grace + 30)
        return self.wait(name)

    def logs(self, name: str) -> subprocess.CompletedProcess[str]:
        return self._docker("logs", self.called(name))

    def execute(self, name: str, *command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """A command inside a running container, as its user and with its environment."""
        return self._docker("exec", self.called(name), *command, check=False, timeout=timeout)

    def alive(self, name: str) -> bool:
        """The planned health check as ECS sees it: unhealthy once it failed ``retries`` times in a row."""
        retries = self.definition.containers[name]["healthCheck"]["retries"]
        return any(self._passes(name) for _ in range(retries))

    def running(self, name: str) -> bool:
        state = self._docker("inspect", "--format", "{{.State.Running}}", self.called(name)).stdout
        return state.strip() == "true"

    def called(self, part: str) -> str:
        """The engine's name of a container or volume."""
        return f"{self.project.name}-{self.name}-{part}"

    def _reach_needed(self, name: str) -> None:
        for needed in self.definition.containers[name].get("dependsOn", []):
            self.reach(needed["containerName"], needed["condition"])

    def _passes(self, name: str) -> bool:
        """Exactly the planned health check, once."""
        check = self.definition.containers[name]["healthCheck"]
        kind, *command = check["command"]
        assert kind == "CMD"
        try:
            return self.execute(name, *command, timeout=check["timeout"]).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _wait_healthy(self, name: str) -> None:
        """Within ``startPeriod``, in which ECS does not count failures."""
        limit = self.definition.containers[name]["healthCheck"]["startPeriod"]
        while name not in self.healthy_after:
            passed, seconds = self._passes(name), time.monotonic() - self._started[name]
            if passed:
                self.healthy_after[name] = seconds
            elif not self.running(name) or seconds > limit:
                said = self.logs(name)
                said = f"{said.stdout}\n{said.stderr}"
                raise AssertionError(f"{name} is not healthy after {seconds:.0f} s\n{said}")
            else:
                time.sleep(0.5)

    def _pause(self) -> None:
        """What holds the task's network, as in ECS; behind the public name is nothing."""
        containers = self.definition.containers.values()
        ports = [port["containerPort"] for one in containers for port in one.get("portMappings", [])]
        self._docker(
            "create", "--name", self.called(PAUSE), "--network", f"{self.project.name}_edge",
            *[f"--publish=127.0.0.1:{self.port}:{one}" for one in ports if self.port],
            "--add-host", f"{self.definition.host}:127.0.0.1",
            "--entrypoint", "sleep", self.image, "infinity",
        )  # fmt: skip
        self._docker("network", "connect", f"{self.project.name}_inner", self.called(PAUSE))
        self._docker("start", self.called(PAUSE))

    def _variables(self, one: Container) -> dict[str, str]:
        found = {each["name"]: each["value"] for each in one.get("environment", [])}
        if NEEDS_STAND_INS in found:
            found |= self.stand_ins
        return found | {each["name"]: self.secrets[each["name"]] for each in one.get("secrets", [])}

    def _limits(self, one: Container) -> list[str]:
        assert one["privileged"] is False
        assert one["linuxParameters"].keys() == {"capabilities"}
        drop = one["linuxParameters"]["capabilities"]["drop"]
        read_only = ["--read-only"] if one["readonlyRootFilesystem"] else []
        memory = f"--memory={self.definition.memory}m"  # of the task: no container has a limit of its own
        return ["--user", one["user"], memory, *read_only, *[f"--cap-drop={each}" for each in drop]]

    def _mounts(self, one: Container) -> list[str]:
        """Volumes as Fargate's: nothing of the image is copied into them, neither files nor owner."""
        return [
            f"--mount=type=volume,source={self.called(each['sourceVolume'])},target={each['containerPath']},"
            f"volume-nocopy{',readonly' if each['readOnly'] else ''}"
            for each in one.get("mountPoints", [])
        ]

    def _docker(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.project.engine.docker(*arguments, **options)
