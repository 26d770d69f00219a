from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from cairn_local import supervisor_control
from cairn_local.__main__ import main
from cairn_local.api_client import ApiProblem
from cairn_local.commands import demo
from cairn_local.commands.up import print_started
from cairn_local.demo.setup import S3_NAME, s3_process
from cairn_local.paths import StateDir
from cairn_local.platform import Addresses, Started
from cairn_local.process_plan import ProcessSpec


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


def server(state: StateDir, running: list[ProcessSpec]) -> ProcessSpec:
    return s3_process(state, running, rclone=Path("/bin/rclone"), directory=Path("/checkout/.cairn-demo"))


def test_second_demo_uses_the_s3_server_of_the_first(state: StateDir) -> None:
    first = server(state, [])
    # The port is its own by now: choosing once more would move the server away from the stores that are on it.
    assert server(state, [first]) is first


def test_s3_server_of_another_checkout_is_not_taken_for_ours(state: StateDir) -> None:
    other = replace(server(state, []), guest_of="/another/.cairn-demo")
    assert server(state, [other]).guest_of == "/checkout/.cairn-demo"


def test_s3_server_is_a_guest_of_its_folder(state: StateDir) -> None:
    spec = server(state, [])
    assert (spec.name, spec.guest_of) == (S3_NAME, "/checkout/.cairn-demo")


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mock:
    """What stops everything, in a checkout whose platform is pretended to start."""
    (tmp_path / "README.md").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAIRN_HOME", str(tmp_path / "state"))
    for name in ("up", "print_started", "provision_engine"):
        monkeypatch.setattr(demo, name, Mock())
    monkeypatch.setattr(demo, "down", stop := Mock())
    return stop


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ApiProblem(404, {"code": "not_found", "detail": "gone"}), "404 not_found: gone"),
        (TimeoutError("run 1 was not over in time"), "not over in time"),
        (httpx.ConnectError("refused"), "ConnectError: refused"),
        (httpx.ReadTimeout("timed out"), "ReadTimeout: timed out"),
        (LookupError("integration fs is not installed"), "integration fs is not installed"),
        (IndexError("list index out of range"), "IndexError"),
    ],
)
def test_failed_demo_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], down: Mock, failure: Exception, told: str
) -> None:
    monkeypatch.setattr(demo, "perform", Mock(side_effect=failure))
    assert main(["demo"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("The demo ended early.")
    assert told in error
    down.assert_not_called()


@pytest.mark.parametrize("ran_before", [False, True])
@pytest.mark.parametrize("where", ["up", "print_started", "perform"])
def test_interrupted_demo_stops_what_it_started(
    monkeypatch: pytest.MonkeyPatch, down: Mock, where: str, ran_before: bool
) -> None:
    monkeypatch.setattr(demo, "perform", Mock())
    monkeypatch.setattr(demo, where, Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(supervisor_control, "is_running", Mock(return_value=ran_before))
    assert main(["demo"]) == 130
    assert down.called == (not ran_before)


def test_what_goes_on_running_after_a_failure_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], down: Mock
) -> None:
    monkeypatch.setattr(demo, "perform", Mock(side_effect=TimeoutError("late")))
    monkeypatch.setattr(supervisor_control, "is_running", Mock(return_value=True))
    assert main(["demo"]) == 1
    assert "goes on running" in capsys.readouterr().out


@pytest.mark.parametrize("stays", [True, False])
def test_the_address_of_the_docs_is_printed_where_it_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, down: Mock, stays: bool
) -> None:
    started = Started(Addresses(gateway="http://127.0.0.1:8080", kafka="", mongodb_uri=""))
    monkeypatch.setattr(demo, "up", lambda *_, **__: started)
    monkeypatch.setattr(demo, "print_started", print_started)
    monkeypatch.setattr(demo, "perform", Mock(return_value=started.addresses.gateway))
    assert main(["demo"] if stays else ["demo", "--exit"]) == 0
    assert capsys.readouterr().out.count("http://127.0.0.1:8080/api/v1/docs") == (2 if stays else 0)
    assert down.called is not stays
