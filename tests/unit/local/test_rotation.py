"""The steps of `cairn secrets rotate`, and how far the file of keys says that they are."""

import argparse
import stat
from pathlib import Path

import pytest
from cairn_local.commands.secrets import run
from cairn_local.errors import LocalError
from cairn_local.keys import ensure_keys
from cairn_local.locks import only_one
from cairn_local.master_keys import Keys, new_key, read_keys, write_keys
from cairn_local.paths import StateDir
from cairn_local.rotation import Gateway, Json, Rotation, Say, key_lines
from chassis.security.keyring import KeyringFile


class Killed(BaseException):
    """The process is gone."""


class Steps(Gateway):
    """A gateway's program that does nothing but note what it is asked, and what the file says then."""

    def __init__(self, path: Path, *, dies_at: int = 99, slow_to_forget: str = "") -> None:
        super().__init__({})
        self.path, self.dies_at, self.slow = path, dies_at, slow_to_forget
        self.done: list[tuple[str, ...]] = []

    def run(self, *step: str, say: Say) -> Json:
        """See `Gateway`."""
        if len(self.done) == self.dies_at:
            raise Killed
        say("working")
        if self.slow and "gone" in step:
            raise LocalError(f"Not taken up yet by {self.slow}.")
        # Each file on the way is one that processes read.
        ring = KeyringFile(self.path).now()
        roles = " ".join(key.role for key in ring.keys)
        named = {key.id: key.role for key in ring.keys}
        self.done.append((*(named.get(word, word) for word in step), roles))
        return {"done": True}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "state").create()
    ensure_keys(made)
    return made


def rotate(state: StateDir, steps: Steps) -> list[str]:
    said: list[str] = []
    Rotation(state, steps, said.append).run()
    return said


def test_a_key_is_replaced_step_by_step(state: StateDir) -> None:
    path = state.key("master")
    [old] = read_keys(path).keys
    steps = Steps(path)
    said = rotate(state, steps)
    [new] = read_keys(path).keys
    assert new.text != old.text
    assert steps.done == [
        ("await", "next", "--until", "known", "current next"),
        ("await", "current", "--until", "current", "current former"),
        ("reseal", "current former"),
        ("await", old.id, "--until", "gone", "current"),
    ]
    assert all(key.text not in " ".join(said) for key in (old, new))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("dies_at", range(4))
def test_whatever_step_it_dies_in_the_next_one_goes_on(state: StateDir, dies_at: int) -> None:
    path = state.key("master")
    [old] = read_keys(path).keys
    with pytest.raises(Killed):
        rotate(state, Steps(path, dies_at=dies_at))
    middle = read_keys(path)
    steps = Steps(path)
    rotate(state, steps)
    [new] = read_keys(path).keys
    assert new.id != old.id
    # No third key was made on the way, unless the old one was given up already.
    assert (new.text in {key.text for key in middle.keys}) == (dies_at < 3)
    assert ("reseal", "current former") in steps.done


def test_a_process_that_is_slow_to_forget_a_key_is_named_and_nothing_begins_anew(state: StateDir) -> None:
    steps = Steps(state.key("master"), slow_to_forget="connector one")
    said = rotate(state, steps)
    assert "  Not taken up yet by connector one." in said
    assert len(read_keys(state.key("master")).keys) == 1


def test_two_at_once_are_refused(state: StateDir) -> None:
    with only_one(state.rotation_lock) as alone:
        assert alone
        with pytest.raises(LocalError, match="Another"):
            rotate(state, Steps(state.key("master")))
    assert len(read_keys(state.key("master")).keys) == 1


def test_a_platform_that_does_not_run_is_left_alone(state: StateDir) -> None:
    with pytest.raises(LocalError, match=r"(?s)not running.*cairn up"):
        Gateway.of(state)


def test_keys_are_called_as_services_call_them(state: StateDir) -> None:
    path = state.key("master")
    write_keys(path, read_keys(path).with_next(new_key()))
    assert tuple(key.id for key in read_keys(path).keys) == KeyringFile(path).now().ids
    write_keys(path, read_keys(path).switched())
    assert tuple(key.id for key in read_keys(path).keys) == KeyringFile(path).now().ids


def test_nothing_shows_a_key(state: StateDir) -> None:
    keys = read_keys(state.key("master"))
    assert keys.current.text not in repr(keys)


@pytest.mark.parametrize("content", ["", "!", "YWJj", "{good} next", "{good}\n{good}", "{good}\n{good} other"])
def test_what_is_no_list_of_keys_is_refused_without_being_quoted(state: StateDir, content: str) -> None:
    path = state.key("master")
    good = new_key().text
    path.write_text(content.format(good=good))
    with pytest.raises(LocalError) as error:
        read_keys(path)
    assert good not in str(error.value)


def test_two_keys_that_follow_are_refused(state: StateDir) -> None:
    path = state.key("master")
    write_keys(path, Keys((*read_keys(path).keys, new_key(), new_key())))
    with pytest.raises(LocalError):
        read_keys(path)


def test_what_hangs_on_a_key_is_said_in_words() -> None:
    keys = [
        {"id": "aa", "role": "current", "words": "1 secret of bundles, 12 of connectors"},
        {"id": "bb", "role": "former", "words": "nothing"},
    ]
    *lines, hint = key_lines({"keys": keys})
    assert lines == ["  aa  current  1 secret of bundles, 12 of connectors", "  bb  former   nothing"]
    assert "run `cairn secrets rotate` again" in hint
    assert key_lines({"keys": keys[:1]}) == lines[:1]


def test_a_rotation_reminds_of_the_copy_of_the_key(
    state: StateDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Gateway, "of", lambda _: Steps(state.key("master")))
    assert run(argparse.Namespace(step="rotate", grace=None), state) == 0
    assert f"Copy {state.key('master')} again" in capsys.readouterr().out.splitlines()[-1]
