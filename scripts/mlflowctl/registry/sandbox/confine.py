"""Give up what a stranger's code must not have, then become that code. Standard library only.

Runs as ``python -I -S confine.py JOB STATUS``, by the tool's own interpreter, before any code that came
with a model. JOB is a JSON file: ``limits`` (rlimit name → number), ``read`` and ``write`` (paths that stay
reachable), ``network`` (bool), ``command`` (what to become). STATUS is the number of an open pipe, on which
one line is written for each protection that this machine could not give; it closes when the command
starts, so nothing that the model does can add or take away a line.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import struct
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
NO_ROOT_LOCKED = 0b11  # uid 0 brings no capabilities with it, and that stays so

# Numbers of the system calls, from the kernel's tables. Landlock's are the same everywhere.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ARCHITECTURES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {"socket": 41, "ptrace": 101, "setpgid": 109, "setsid": 112, "vm_readv": 310, "vm_writev": 311},
    ),
    "aarch64": (
        0xC00000B7,
        {"socket": 198, "ptrace": 117, "setpgid": 154, "setsid": 157, "vm_readv": 270, "vm_writev": 271},
    ),
}
IO_URING_SETUP, PIDFD_GETFD = 425, 438

# Landlock's rights (uapi/linux/landlock.h).
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, REFER = 1 << 14, 1 << 13
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE


def main() -> None:
    """Confine this process, tell what was not possible, and become the command."""
    with open(sys.argv[1]) as handle:  # noqa: PTH123 (pathlib would double the start-up time)
        job = json.load(handle)
    status = int(sys.argv[2])
    os.set_inheritable(status, False)
    for line in confine(job):
        os.write(status, f"{line}\n".encode())
    command = job["command"]
    os.execve(command[0], command, dict(os.environ))  # noqa: S606


def confine(job: dict[str, Any]) -> list[str]:
    """Apply everything; one sentence for each protection that is not to be had here."""
    missing = [] if platform.system() == "Linux" else ["only limits on time and memory exist on this system"]
    if platform.system() == "Linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)  # whoever kills the tool does not leave the model behind
        if os.geteuid() == 0:
            drop_capabilities(libc)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            missing.append("the model's code can gain privileges through setuid programs")
        if not landlock(libc, job):
            missing.append("the model's code can read all files and processes of its account")
        if not filter_calls(libc, network=bool(job["network"])):
            missing.append("the model's code can use the network and leave its process group")
    for name, number in job["limits"].items():
        with contextlib.suppress(ValueError, OSError):  # a lower hard limit is as good
            resource.setrlimit(getattr(resource, name), (number, number))
    return missing


def drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root stays uid 0 here, but after the next exec it has no powers that the owner of a file has not."""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(PR_SET_SECUREBITS, NO_ROOT_LOCKED, 0, 0, 0)


def landlock(libc: ctypes.CDLL, job: dict[str, Any]) -> bool:
    """Close the file system except for the job's paths, other processes, and TCP. False: not to be had."""
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << 13) - 1
    rights |= REFER if version >= 2 else 0
    rights |= TRUNCATE if version >= 3 else 0
    network = 0b11 if version >= 4 and not job["network"] else 0
    scopes = 0b11 if version >= 6 else 0  # abstract sockets and signals of processes outside
    attributes = struct.pack("=QQQ", rights, network, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return False
    readable = EXECUTE | READ_FILE | READ_DIR
    allowed = [(path, readable) for path in job["read"]] + [(path, rights) for path in job["write"]]
    for path, wanted in allowed:
        allow(libc, ruleset, path, wanted & rights)
    done: bool = libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return done


def allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Open one path, and all below it; a path that does not exist needs no rule."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):  # noqa: PTH112
        rights &= FILE_RIGHTS
    libc.syscall(ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, opened), 0)
    os.close(opened)


def filter_calls(libc: ctypes.CDLL, *, network: bool) -> bool:
    """A seccomp filter; False where it is not to be had.

    ``setsid`` and ``setpgid`` do nothing and report success, so that killing the process group kills all
    that the model started. Sockets other than Unix ones are refused unless the network is wanted.
    """
    if platform.machine() not in ARCHITECTURES:
        return False
    architecture, numbers = ARCHITECTURES[platform.machine()]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allowed, killed, error = 0x7FFF0000, 0x80000000, 0x00050000
    eperm, eacces, enosys, unix = 1, 13, 38, 1
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (answer, 0, 0, killed),
        (load, 0, 0, 0),
        (at_least, 0, 1, 0x40000000),  # the other numbering of x86-64
        (answer, 0, 0, error | enosys),
    ]
    refused = {
        numbers["setsid"]: 0,
        numbers["setpgid"]: 0,
        numbers["ptrace"]: eperm,
        numbers["vm_readv"]: eperm,
        numbers["vm_writev"]: eperm,
        PIDFD_GETFD: eperm,
        IO_URING_SETUP: enosys,
    }
    for number, code in refused.items():
        program += [(equal, 0, 1, number), (answer, 0, 0, error | code)]
    if not network:
        program += [(equal, 0, 3, numbers["socket"]), (load, 0, 0, 16)]
        program += [(equal, 1, 0, unix), (answer, 0, 0, error | eacces)]
    program.append((answer, 0, 0, allowed))
    packed = b"".join(struct.pack("=HBBI", *line) for line in program)
    held = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HP", len(program), ctypes.addressof(held))
    return bool(libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0) == 0)


if __name__ == "__main__":
    main()
