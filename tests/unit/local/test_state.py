import json
import os
import stat
from pathlib import Path

import pytest
from cairn_local.credentials import load_credentials, refresh_url
from cairn_local.environment import KEY_VARIABLES
from cairn_local.errors import LocalError
from cairn_local.keys import ensure_keys
from cairn_local.logs import ROTATE_BYTES, choose_logs, follow, last_lines, rotate_logs
from cairn_local.paths import StateDir, find_cache_dir, find_state_dir, write_private
from cairn_local.process_plan import Check, ProcessSpec, load_plan, save_plan
from cairn_local.status import without_password
from cairn_local.supervisor.process_record import Record, Running, find_process, load_record, save_record, start_time
from cairn_local.supervisor.supervised_process import LONGEST_PAUSE_SECONDS, restart_pause

CREDENTIALS = {"url": "http://127.0.0.1:8080", "email": "e", "password": "p", "api_key": "k", "organization_id": "o"}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_state_is_where_cairn_home_says(tmp_path: Path) -> None:
    assert find_state_dir({"CAIRN_HOME": "elsewhere"}, tmp_path).root == tmp_path / "elsewhere"


def test_state_is_in_the_current_folder_unless_one_above_has_it(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_state_dir({}, below).root == below / ".cairn"
    (tmp_path / ".cairn").mkdir()
    assert find_state_dir({}, below).root == tmp_path / ".cairn"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"CAIRN_CACHE": "/c"}, Path("/c")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/cairn")),
        ({"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache" / "cairn"),
        ({}, Path.home() / ".cache" / "cairn"),
    ],
)
def test_cache_folder(environ: dict[str, str], folder: Path) -> None:
    assert find_cache_dir(environ) == folder


def test_folders_are_private_even_if_they_were_not(tmp_path: Path) -> None:
    root = tmp_path / "state"
    root.mkdir(mode=0o755)
    state = StateDir(root).create()
    assert {mode(folder) for folder in (state.root, state.data, state.logs, state.run, state.keys)} == {0o700}


def test_private_file_replaces_a_public_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_keys_are_made_once_and_differ(state: StateDir) -> None:
    ensure_keys(state)
    before = {name: state.key(name).read_text() for name in KEY_VARIABLES}
    ensure_keys(state)
    assert {name: state.key(name).read_text() for name in KEY_VARIABLES} == before
    assert len(set(before.values())) == 3
    assert {mode(state.key(name)) for name in KEY_VARIABLES} == {0o600}


@pytest.mark.parametrize("found", ["data/postgres", "data/mongod", "credentials.json"])
def test_lost_master_key_is_not_replaced_beside_data(state: StateDir, found: str) -> None:
    ensure_keys(state)
    (state.root / found).mkdir()
    state.key("badge").unlink()
    ensure_keys(state)
    state.key("master").unlink()
    with pytest.raises(LocalError, match=rf"(?s)master\.key is missing.*{found}.*Put the key back"):
        ensure_keys(state)
    assert not state.key("master").exists()


def test_key_is_on_the_disk_before_it_is_used(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    write_private(state.key("master"), "key", durable=True)
    assert synced == [state.key("master").stat().st_ino, state.keys.stat().st_ino]


def test_credentials_follow_the_gateway_to_another_port(state: StateDir) -> None:
    write_private(state.credentials, json.dumps(CREDENTIALS))
    refresh_url(state.credentials, "http://127.0.0.1:9000")
    assert json.loads(state.credentials.read_text()) == CREDENTIALS | {"url": "http://127.0.0.1:9000"}
    assert mode(state.credentials) == 0o600


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"url": 1}'])
def test_incomplete_credentials_are_none(state: StateDir, content: str) -> None:
    state.credentials.write_text(content)
    assert load_credentials(state.credentials) is None


def test_plan_survives_the_file(state: StateDir) -> None:
    check = Check("http", "127.0.0.1:1")
    spec = ProcessSpec("a", ("x", "y"), {"K": "v"}, check, "http://127.0.0.1:1", after=("b",), stop_signal="SIGINT")
    save_plan(state.plan, [spec])
    assert load_plan(state.plan) == [spec]
    assert mode(state.plan) == 0o600


def test_record_survives_the_file(state: StateDir) -> None:
    record = Record(Running(1, 2.5), {"a": Running(3, 4.5, restarts=6)})
    save_record(state.processes, record)
    assert load_record(state.processes) == record


@pytest.mark.parametrize("content", ["", "{"])
def test_unreadable_record_is_empty(state: StateDir, content: str) -> None:
    state.processes.write_text(content)
    assert load_record(state.processes) == Record()


def test_process_is_known_by_its_start_time_too() -> None:
    own = os.getpid()
    found = find_process(Running(own, start_time(own)))
    assert found is not None
    assert found.pid == own
    assert find_process(Running(own, start_time(own) - 60)) is None
    assert find_process(None) is None


def test_first_restart_is_at_once_and_pauses_grow_to_a_limit() -> None:
    pauses = [restart_pause(failures) for failures in range(1, 12)]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://127.0.0.1:1/", "mongodb://127.0.0.1:1/"),
        ("mongodb://me:secret@host:1/?a=b", "mongodb://me:***@host:1/?a=b"),
        ("mongodb+srv://me:se%40cret@host", "mongodb+srv://me:***@host"),
    ],
)
def test_password_is_hidden(uri: str, shown: str) -> None:
    assert without_password(uri) == shown


@pytest.mark.parametrize("count", [0, 1, 3, 500, 100_000])
def test_last_lines_are_those_at_the_end(tmp_path: Path, count: int) -> None:
    lines = [f"line {number}" for number in range(20_000)]
    path = tmp_path / "log"
    path.write_text("\n".join(lines) + "\n")
    assert last_lines(path, count) == lines[max(len(lines) - count, 0) :]


def test_last_lines_of_no_file_are_none(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "absent", 5) == []


def test_following_gives_whole_lines_that_were_added(state: StateDir) -> None:
    log = state.log("a")
    log.write_text("before\n")
    additions = iter(["one\ntw", "o\n", None])

    def going_on() -> bool:
        addition = next(additions)
        if addition:
            with log.open("a") as file:
                file.write(addition)
        return addition is not None

    assert list(follow(state, ["a"], going_on=going_on)) == [("a", "one"), ("a", "two")]


def test_big_logs_are_put_aside(state: StateDir) -> None:
    state.log("small").write_text("x")
    with state.log("big").open("wb") as file:
        file.truncate(ROTATE_BYTES + 1)
    rotate_logs(state)
    assert {path.name: path.stat().st_size for path in state.logs.iterdir()} == {
        "big.log": 0,
        "big.log.1": ROTATE_BYTES,
        "small.log": 1,
    }
    assert mode(state.logs / "big.log.1") == 0o600


def test_lines_stay_in_order_and_the_oldest_go(state: StateDir) -> None:
    with state.log("a").open("ab", buffering=0) as file:
        for line in (b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"):
            file.write(line)
            rotate_logs(state, limit_bytes=4)
    kept = {path.name: path.read_text() for path in state.logs.iterdir()}
    assert kept == {"a.log": "", "a.log.1": "ive\n", "a.log.2": "our\n"}


def test_log_is_cut_even_if_nothing_can_be_put_aside(state: StateDir) -> None:
    (state.logs / "big.log.1").symlink_to(state.root / "absent" / "file")
    state.log("big").write_bytes(b"x" * (ROTATE_BYTES + 1))
    rotate_logs(state)
    assert [(path.name, path.stat().st_size) for path in state.logs.iterdir()] == [("big.log", 0)]


def test_unknown_log_is_said_with_those_that_exist(state: StateDir) -> None:
    state.log("catalog").touch()
    assert choose_logs(state, "catalog") == ["catalog"]
    with pytest.raises(LocalError, match=r"(?s)'nobody'.*catalog"):
        choose_logs(state, "nobody")
