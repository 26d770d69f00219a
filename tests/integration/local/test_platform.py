"""`cairn up`, `down`, `status` and `logs` on real servers and fake services."""

import json
import shutil
import signal
import stat
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from http.server import HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest
from cairn_local import supervisor_control
from cairn_local.errors import LocalError
from cairn_local.health import is_healthy, parse_address
from cairn_local.logs import ROTATE_BYTES
from cairn_local.paths import StateDir
from cairn_local.ports import LOOPBACK, remember_ports
from cairn_local.process_plan import Check, ProcessSpec, load_plan
from cairn_local.supervisor.process_record import find_process, load_record
from cairn_local.supervisor.readiness import is_serving
from pymongo import MongoClient

from tests.integration.local.conftest import LocalPlatform
from tests.integration.local.fake_service import FAKE_SERVICES, Handler
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ALL = {"kafka", "postgres", "mongodb", *(service.name for service in FAKE_SERVICES)}


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; a killed supervisor stays a zombie until this process, its parent, notices."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def remove_in_use(folder: Path) -> None:
    """Remove a folder in which servers still make files, so that a part of it may come back while it goes."""

    def is_gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    eventually(is_gone)


def environment_of(platform: LocalPlatform, name: str) -> dict[str, str]:
    return platform.process(name).environ()


def test_first_start_shows_the_credentials_once(tmp_path: Path) -> None:
    platform = LocalPlatform(StateDir(tmp_path / "state"))
    try:
        first, second = (platform.cairn("up") for _ in range(2))
    finally:
        platform.down()
    assert "shown-once" in first.stdout, first.stderr
    assert "key-shown-once" in first.stdout
    assert "shown-once" not in second.stdout


def test_everything_is_healthy_after_up(platform: LocalPlatform) -> None:
    status = json.loads(platform.cairn("status", "--json").stdout)
    assert status["running"]
    assert {process["name"] for process in status["processes"]} == ALL
    assert all(process["healthy"] and process["pid"] for process in status["processes"])
    assert status["gateway"].startswith("http://127.0.0.1:")
    assert platform.cairn("status").returncode == 0


def test_second_up_changes_nothing(platform: LocalPlatform) -> None:
    before = load_record(platform.state.processes)
    platform.up()
    assert load_record(platform.state.processes) == before


def test_every_file_is_private(platform: LocalPlatform) -> None:
    state = platform.state
    files = [state.credentials, state.plan, state.ports, *state.keys.iterdir(), *state.logs.iterdir()]
    assert len(list(state.keys.iterdir())) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [state.root, state.data, state.logs, state.run, state.keys]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_servers_listen_on_the_loopback_address_only(platform: LocalPlatform) -> None:
    connections = [c for process in platform.processes() for c in process.net_connections("inet")]
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    # Java writes an IPv4 address into an IPv6 socket.
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert listening


def test_keys_reach_only_who_needs_them(platform: LocalPlatform) -> None:
    holders = {
        key: {
            service.name
            for service in FAKE_SERVICES
            if f"CAIRN_{key}_KEY_FILE" in environment_of(platform, service.name)
        }
        for key in ("MASTER", "BADGE", "SERVICE")
    }
    everybody = {service.name for service in FAKE_SERVICES}
    assert holders == {"MASTER": {"gateway", "connector"}, "BADGE": {"gateway"}, "SERVICE": everybody}


def test_gateway_answers_where_status_says(platform: LocalPlatform) -> None:
    gateway = json.loads(platform.cairn("status", "--json").stdout)["gateway"]
    with urllib.request.urlopen(f"{gateway}/environment") as answer:
        assert json.load(answer)["CAIRN_URL_GATEWAY"] == gateway


def test_password_in_an_address_is_not_shown(platform: LocalPlatform) -> None:
    addresses = json.loads(platform.state.addresses.read_text())
    secret = addresses | {"mongodb_uri": "mongodb://someone:hidden@127.0.0.1:1/"}
    try:
        platform.state.addresses.write_text(json.dumps(secret))
        outputs = [platform.cairn(*arguments).stdout for arguments in (["status"], ["status", "--json"], ["up"])]
    finally:
        platform.state.addresses.write_text(json.dumps(addresses))
    assert all("mongodb://someone:***@" in output and "hidden" not in output for output in outputs)


@pytest.mark.parametrize("name", ["gateway", "connector", "mongodb", "postgres", "kafka"])
def test_killed_process_comes_back(platform: LocalPlatform, name: str) -> None:
    killed = platform.process(name)
    killed.kill()
    killed.wait(10)
    platform.up()
    assert platform.process(name).pid != killed.pid
    assert platform.healthy()


def test_leftovers_of_a_killed_supervisor_are_replaced_by_up(platform: LocalPlatform) -> None:
    before = platform.processes()
    supervisor = platform.process("supervisor")
    supervisor.kill()
    supervisor.wait(10)
    assert platform.process("catalog").is_running()
    assert platform.cairn("status").returncode == 3
    platform.up()
    assert platform.healthy()
    assert alive(before) == []


def test_leftovers_of_a_killed_supervisor_are_ended_by_down(platform: LocalPlatform) -> None:
    before = platform.processes()
    platform.process("supervisor").kill()
    assert platform.down()
    assert alive(before) == []
    assert not platform.down()


def test_child_that_no_record_names_is_found_by_its_mark(platform: LocalPlatform) -> None:
    orphan = platform.process("scheduler")
    platform.process("supervisor").kill()
    record = json.loads(platform.state.processes.read_text())
    del record["processes"]["scheduler"]
    platform.state.processes.write_text(json.dumps(record))
    platform.down()
    assert alive([orphan]) == []


@pytest.mark.parametrize("command", ["down", "up"])
def test_platform_whose_folder_was_removed_is_still_ended(tmp_path: Path, command: str) -> None:
    platform = LocalPlatform(StateDir(tmp_path / "state"))
    platform.up()
    try:
        before = platform.processes()
        remove_in_use(platform.state.root)
        assert platform.down() if command == "down" else platform.up()
        assert alive(before) == []
    finally:
        platform.down()


def test_data_and_ports_are_still_there_after_down_and_up(platform: LocalPlatform) -> None:
    addresses = platform.up().addresses
    with MongoClient(addresses.mongodb_uri) as client:
        client.test.things.insert_one({"_id": "kept"})
    processes = platform.processes()
    platform.down()
    assert alive(processes) == []
    assert platform.up().addresses == addresses
    with MongoClient(addresses.mongodb_uri) as client:
        assert client.test.things.find_one({"_id": "kept"})
        client.drop_database("test")


def test_guest_is_started_again_while_its_folder_exists(platform: LocalPlatform, tmp_path: Path) -> None:
    folder = tmp_path / "guest"
    folder.mkdir()
    port = remember_ports(platform.state.ports, ["guest"])["guest"]
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", LOOPBACK, "--directory", str(folder))
    env = environment_of(platform, "kafka")
    address = f"{LOOPBACK}:{port}"
    guest = ProcessSpec("guest", argv, env, Check("tcp", address), address, guest_of=str(folder))
    supervisor_control.supervise(platform.state, [*load_plan(platform.state.plan), guest])
    supervisor_control.wait_until_healthy(platform.state, [guest])
    platform.down()
    platform.up()
    eventually(lambda: is_healthy(guest.check))
    platform.down()
    folder.rmdir()
    platform.up()
    assert "guest" not in {spec.name for spec in load_plan(platform.state.plan)}


def test_port_that_another_platform_took_after_it_was_chosen_is_chosen_again(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.down()
    supervise = supervisor_control.supervise
    others: list[HTTPServer] = []

    def supervise_too_late(state: StateDir, specs: Sequence[ProcessSpec]) -> None:
        if not others:
            gateway = next(spec for spec in specs if spec.name == "gateway")
            others.append(HTTPServer(parse_address(gateway.check.address), Handler))
            Thread(target=others[0].serve_forever, daemon=True).start()
        supervise(state, specs)

    monkeypatch.setattr(supervisor_control, "supervise", supervise_too_late)
    try:
        started = platform.up()
        assert not started.addresses.gateway.endswith(f":{others[0].server_port}")
        assert platform.healthy()
    finally:
        others[0].shutdown()
        others[0].server_close()


def test_answer_of_another_process_is_not_taken_for_ours(platform: LocalPlatform) -> None:
    gateway = next(spec for spec in load_plan(platform.state.plan) if spec.name == "gateway")
    processes = load_record(platform.state.processes).processes
    assert is_serving(gateway, processes["gateway"])
    assert not is_serving(gateway, processes["catalog"])


def test_another_port_reaches_the_credentials_file(platform: LocalPlatform) -> None:
    platform.down()
    platform.state.credentials.write_text(
        platform.state.credentials.read_text().replace(f'"{platform_url(platform)}"', '"http://127.0.0.1:1"')
    )
    started = platform.up()
    assert platform_url(platform) == started.addresses.gateway
    assert stat.S_IMODE(platform.state.credentials.stat().st_mode) == 0o600


def platform_url(platform: LocalPlatform) -> str:
    return str(json.loads(platform.state.credentials.read_text())["url"])


def test_service_that_ends_at_once_is_shown_with_its_log(platform: LocalPlatform) -> None:
    platform.down()
    broken = platform.state.root / "catalog.broken"
    broken.touch()
    try:
        with pytest.raises(LocalError, match=r"(?s)catalog ends as soon as it is started.*this one is broken"):
            platform.up()
        assert load_record(platform.state.processes).supervisor is None
    finally:
        broken.unlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_up_stops_everything(platform: LocalPlatform, number: signal.Signals) -> None:
    platform.down()
    silent = platform.state.root / "catalog.silent"
    silent.touch()
    try:
        with platform.start_cairn("up") as command:
            eventually(lambda: len(load_record(platform.state.processes).processes) == len(ALL), deadline_seconds=60)
            processes = platform.processes()
            command.send_signal(number)
            assert command.wait(60) == 130
    finally:
        silent.unlink()
    assert alive(processes) == []


def test_attached_up_follows_the_logs_and_stops_everything_on_ctrl_c(platform: LocalPlatform) -> None:
    platform.down()
    with platform.start_cairn("up", "--attach") as command:
        lines = iter(command.stdout or ())
        assert any("Following the logs" in line for line in lines)
        processes = platform.processes()
        platform.process("gateway").kill()
        assert any(line == "gateway | gateway says hello\n" for line in lines)
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 130
    assert alive(processes) == []


def test_logs_show_what_a_process_said(platform: LocalPlatform) -> None:
    platform.up()
    assert "gateway says hello" in platform.cairn("logs", "gateway", "-n", "1000").stdout
    assert "catalog | catalog says hello" in platform.cairn("logs", "-n", "1000").stdout
    unknown = platform.cairn("logs", "nobody")
    assert unknown.returncode == 1
    assert "catalog, connector" in unknown.stderr


def test_log_of_a_running_process_is_put_aside(platform: LocalPlatform) -> None:
    platform.up()
    log = platform.state.log("gateway")
    with log.open("ab") as file:
        file.write(b"x" * ROTATE_BYTES + b"\n")
    eventually(lambda: log.stat().st_size < ROTATE_BYTES)
    assert log.with_suffix(".log.1").stat().st_size == ROTATE_BYTES
    platform.process("gateway").kill()
    eventually(lambda: "gateway says hello" in log.read_text())


def test_down_stops_everything_and_may_be_repeated(platform: LocalPlatform) -> None:
    supervisor = load_record(platform.state.processes).supervisor
    assert platform.cairn("down").stdout == "Cairn is stopped.\n"
    assert find_process(supervisor) is None
    assert platform.cairn("down").stdout == "Cairn was not running.\n"
    assert platform.cairn("status").returncode == 3


def test_waiting_ends_when_the_supervisor_does(platform: LocalPlatform) -> None:
    platform.process("supervisor").kill()
    absent = ProcessSpec("absent", (), {}, Check("tcp", "127.0.0.1:1"), "127.0.0.1:1")
    with pytest.raises(LocalError, match="supervisor has ended"):
        supervisor_control.wait_until_healthy(platform.state, [absent])


def test_changed_process_is_started_again_by_its_new_plan(platform: LocalPlatform) -> None:
    plan = load_plan(platform.state.plan)
    before = platform.process("catalog")
    changed = [replace(spec, env=spec.env | {"NEW": "1"}) if spec.name == "catalog" else spec for spec in plan]
    supervisor_control.supervise(platform.state, changed)
    eventually(lambda: alive([before]) == [] and "NEW" in environment_of(platform, "catalog"), deadline_seconds=20)
    supervisor_control.wait_until_healthy(platform.state, changed)


def test_reader_of_a_pipe_may_leave(platform: LocalPlatform) -> None:
    with platform.start_cairn("logs", "-f", "-n", "1") as command:
        assert command.stdout
        command.stdout.readline()
        command.stdout.close()
        platform.process("gateway").kill()
        assert command.wait(30) == 1
        assert command.stderr
        assert command.stderr.read() == ""
