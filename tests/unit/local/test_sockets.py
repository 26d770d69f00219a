import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cairn_local.infrastructure.mongod import spec
from cairn_local.infrastructure.socket_folders import LONGEST_SOCKET_PATH, socket_folder
from cairn_local.paths import StateDir


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # With a short path, wherever the tests have theirs.
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def state(temporary: Path) -> StateDir:
    return StateDir(temporary / "state").create()


@pytest.fixture
def deep(temporary: Path) -> StateDir:
    return StateDir(temporary / ("x" * LONGEST_SOCKET_PATH)).create()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_sockets_are_in_the_state_folder(state: StateDir) -> None:
    folder = socket_folder(state, "mongodb")
    assert folder == state.run / "sockets" / "mongodb"
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


def test_path_too_long_leads_to_a_private_folder_that_is_kept(deep: StateDir, temporary: Path) -> None:
    folder = socket_folder(deep, "postgres")
    assert folder.parent.parent == temporary
    assert mode(folder.parent) == 0o700
    assert len(str(folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH
    assert socket_folder(deep, "postgres") == folder
    assert socket_folder(deep, "mongodb").parent == folder.parent


@pytest.mark.parametrize("fault", ["gone", "open", "a link"])
def test_folder_that_is_not_private_any_more_is_left_alone(deep: StateDir, temporary: Path, fault: str) -> None:
    former = socket_folder(deep, "mongodb").parent
    former.rename(temporary / "elsewhere")
    if fault == "open":
        former.mkdir(mode=0o755)
    if fault == "a link":
        former.symlink_to(temporary / "elsewhere")
    folder = socket_folder(deep, "mongodb")
    assert folder.parent != former
    assert mode(folder.parent) == 0o700


def test_mongod_listens_on_a_private_socket_alone(state: StateDir) -> None:
    made = spec(state, Path("/bin/mongod"), env={})
    path = str(state.run / "sockets" / "mongodb" / "mongodb.sock")
    assert made.argv[made.argv.index("--bind_ip") + 1] == made.check.address == path
    assert "--nounixsocket" in made.argv
    assert "--port" not in made.argv
