"""The parts of the embedded stack that need no process."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import socket
import stat
import time
from contextlib import closing

import pytest

from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic
from mlflowctl.stack import logs, ports, processes, secrets, supervisor
from mlflowctl.stack.layout import COMPONENTS, Layout, Ports, StackConfig


@pytest.fixture
def layout(tmp_path):
    made = Layout.at(tmp_path / "a folder with 100% odd 'names'")
    made.create()
    return made


def test_a_description_is_read_back_as_it_was_written(layout):
    config = StackConfig(name="x", ports=Ports(1, 2, 3, {"master": 4}), artifacts="direct")
    layout.save(config)
    assert layout.load() == config


def test_a_description_holds_no_secret_and_is_never_half_written(layout):
    layout.save(StackConfig(name="before"))
    with pytest.raises(TypeError):
        write_atomic(layout.config_file, object())  # type: ignore[arg-type]
    assert layout.load().name == "before"
    assert [path.name for path in layout.root.iterdir() if path.name.startswith(".stack")] == []


def test_the_stack_is_named_after_its_folder_or_its_project(tmp_path):
    assert Layout.at(tmp_path / "shop" / ".mlflowctl").default_name == "shop"
    assert Layout.at(tmp_path / "other").default_name == "other"


def test_the_supervisors_file_survives_odd_folder_names(layout):
    supervisor.write_config(layout)
    parser = configparser.RawConfigParser()
    parser.read(supervisor.config_file(layout))
    for name in COMPONENTS:
        section = parser[f"program:{name}"]
        command = shlex.split(section["command"].replace("%%", "%"))
        assert command[-2:] == [name, str(layout.root)]
        assert section["startsecs"] == "0"
        assert section["autorestart"] == "true"


def test_secrets_are_made_once_and_closed_to_others(layout):
    secrets.generate(layout)
    first = {path: path.read_text() for path in layout.secrets.iterdir()}
    secrets.generate(layout)
    assert {path: path.read_text() for path in layout.secrets.iterdir()} == first
    assert len(first) == 3
    for path in first:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["", "[default]\n", "not a file of this kind"])
def test_damaged_object_store_keys_are_a_clear_error(layout, damage):
    secrets.s3_credentials(layout).write_text(damage)
    with pytest.raises(UsageError, match="cannot be used"):
        secrets.s3_keys(layout)


def test_a_reused_pid_is_not_taken_for_the_process_that_was_recorded(layout):
    path = layout.run / "x.pid"
    processes.record(path)
    assert processes.recorded(path).pid == os.getpid()
    path.write_text(json.dumps({"pid": os.getpid(), "started": time.time() - 86400}))
    assert processes.recorded(path) is None
    path.write_text("damaged")
    assert processes.recorded(path) is None


def test_a_claimed_port_is_taken_for_everybody_else():
    with ports.claims() as mine, ports.claims() as theirs:
        port = mine.take_any(companion=10000)
        assert not theirs.take(port)
        assert not theirs.take(port + 10000)
        assert not theirs.take(port - 10000, companion=10000)
    with ports.claims() as later:
        assert later.take(port)


def test_a_port_that_is_listened_on_cannot_be_claimed_and_its_holder_is_named():
    with closing(socket.socket()) as listener, ports.claims() as claimed:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not claimed.take(port)
        assert f"(pid {os.getpid()})" in ports.holder(port)
        assert "--auto-ports" in ports.taken(port, "mlflow").next


def test_logs_are_followed_through_a_rotation(layout):
    path = layout.log("mlflow")
    path.write_text("one\n")
    mark = logs._end(path)
    path.rename(path.with_suffix(".1"))
    path.write_text("two\npart")
    lines, mark = logs._since(path, mark)
    assert lines == ["two"]
    with path.open("a") as handle:
        handle.write("ial\n")
    assert logs._since(path, mark)[0] == ["partial"]
