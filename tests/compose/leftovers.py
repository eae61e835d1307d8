"""What a Docker engine leaves on the machine when it stops: processes, mounts, bridges, firewall rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FIREWALLS = ("iptables", "ip6tables")
BRIDGE = re.compile(r"\b(?:docker0|br-[0-9a-f]{12})\b")
# A published port adds a rule by which a container reaches itself; it bears no name at all.
HAIRPIN = re.compile(r"-s (\S+/32) -d \1 .*-j MASQUERADE$")
ENGINE_PROCESSES = {"dockerd", "containerd", "containerd-shim"}


def end_processes(folder: Path) -> None:
    """End the engine's own helpers that were started for this folder, each by its pid."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        # Linux cuts a process's name to 15 characters: containerd-shim-runc-v2 becomes containerd-shim.
        name, command = process.info["name"] or "", " ".join(process.info["cmdline"] or [])
        if name[:15] in ENGINE_PROCESSES and f"{folder}/" in command:
            found += [*process.children(recursive=True), process]
    for process in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(found, timeout=10)


def unmount(folder: Path) -> None:
    """Unmount whatever is still mounted below the folder, the deepest first."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def network_state() -> dict[str, Any]:
    """What the engine will change and does not put back: forwarding, and the policy of FORWARD."""
    policies = {}
    for firewall in FIREWALLS:
        found = re.search(r"^-P FORWARD (\w+)", _output(firewall, "-S", "FORWARD"), re.MULTILINE)
        policies[firewall] = found[1] if found else "ACCEPT"
    return {"ip_forward": FORWARDING.read_text().strip(), "forward": policies}


def restore_network(before: dict[str, Any]) -> None:
    """Remove the engine's bridges and firewall rules, and put back the settings it changed.

    Beside another engine everything stays: the bridge and the rules bear no name of their engine.
    """
    if any(process.info["name"] == "dockerd" for process in psutil.process_iter(["name"])):
        return
    for link in _output("ip", "-brief", "link").split("\n"):
        name = link.split("@")[0].split()[:1]
        if name and BRIDGE.fullmatch(name[0]):
            subprocess.run(["ip", "link", "delete", name[0]], check=False, capture_output=True)
    for firewall in FIREWALLS:
        rules = _output(f"{firewall}-save").splitlines()
        kept = [rule for rule in rules if not _made_by_engine(rule)]
        if kept != rules:
            text = "\n".join(kept) + "\n"
            subprocess.run([_path(f"{firewall}-restore")], input=text, text=True, check=False)
        if before:
            _output(firewall, "-P", "FORWARD", before["forward"][firewall])
    if before:
        FORWARDING.write_text(before["ip_forward"])


def _made_by_engine(rule: str) -> bool:
    return "DOCKER" in rule or bool(BRIDGE.search(rule) or HAIRPIN.search(rule))


def _path(program: str) -> str:
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") or program


def _output(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run([_path(program), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout
