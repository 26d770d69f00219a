"""Attributes that are given again to what is there already."""

import errno
import os
from pathlib import Path

import pytest
from contracts.task_types.restore import Keep
from integrations.fs.file_attributes import Attributes
from restic_reader import Node

# Without the mode, so that only extended attributes are given.
UNPRIVILEGED = Attributes(is_root=False, keep=Keep(mode=False))


def failing_with(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def listxattr(*_: object) -> list[str]:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "listxattr", listxattr)


@pytest.fixture
def opened(tmp_path: Path) -> int:
    (tmp_path / "file").touch(mode=0o444)
    return os.open(tmp_path / "file", os.O_PATH)


def test_a_file_system_without_extended_attributes_has_none(opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(errno.EOPNOTSUPP, monkeypatch)
    found = os.fstat(opened)

    assert not UNPRIVILEGED.differ(opened, Node(quoted_name="file", type="file"), found=found)
    assert UNPRIVILEGED.give_again(opened, Node(quoted_name="file", type="file"), found=found) == ""


def test_a_failure_leaves_no_other_mode(opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(errno.EIO, monkeypatch)

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        UNPRIVILEGED.give_again(opened, Node(quoted_name="file", type="file"), found=os.fstat(opened))

    assert os.fstat(opened).st_mode & 0o777 == 0o444
