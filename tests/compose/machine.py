"""How this machine reaches Debian and PyPI: read when a stand-in is built, never committed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
IMAGE_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout", "retries")
APT_SETTINGS = re.compile(r"^Acquire::(?:Check-(?:Valid-Until|Date)|https?::Proxy)\b", re.IGNORECASE)


def debian_mirror(suite: str) -> str:
    """The mirror that apt uses for this suite; empty where debootstrap's own choice must do."""
    listing = _output("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)")
    for line in listing.splitlines():
        release, component, uri = line.split(maxsplit=2)
        if (release, component) == (suite, "main") and "security" not in uri:
            return uri.strip()
    return ""


def apt_settings() -> str:
    """The settings without which apt would refuse this machine's mirror."""
    return "".join(
        f"{line}\n" for line in _output("apt-config", "dump").splitlines() if APT_SETTINGS.match(line)
    )


def pip_settings() -> str:
    """A pip.conf with this machine's index addresses and the image's certificates.

    Folders of this machine (``find-links``, ``file:`` indexes) are left out: a container cannot see them.
    """
    lines = ["[global]", f"cert = {IMAGE_BUNDLE}", "disable-pip-version-check = true"]
    for line in _output(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        key = name.split(".")[-1].lower()
        words = [word for word in value.strip("'\"").split() if not word.startswith(("file:", "/"))]
        if key in PIP_SETTINGS and words:
            lines.append(f"{key.removeprefix('default-')} = {' '.join(words)}")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def certificates() -> dict[str, bytes]:
    """The authorities that this machine trusts beyond Debian's."""
    return {path.name: path.read_bytes() for path in sorted(LOCAL_CERTIFICATES.glob("**/*.crt"))}


def proxies() -> dict[str, str]:
    """Proxy variables, in the form of the Docker client's configuration."""
    names = {"httpProxy": "http_proxy", "httpsProxy": "https_proxy", "noProxy": "no_proxy"}
    found = {key: os.environ.get(name) or os.environ.get(name.upper()) for key, name in names.items()}
    return {key: value for key, value in found.items() if value}


@cache
def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
