"""Under which names a directory may be reached, judged by what the kernel tells of mounts."""

from pathlib import Path

import pytest
from integrations.fs.exclusions import LeftOut
from integrations.fs.mounts import Mounts, Place, parse

CONTAINER = rb"""
100 1 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
101 100 8:1 /var/lib/cairn /state rw,relatime - ext4 /dev/sda1 rw
102 100 8:1 / /host ro,relatime shared:7 - ext4 /dev/sda1 rw
103 102 8:1 /var/lib/cairn/keys /host/srv/my\040keys rw - ext4 /dev/sda1 rw
104 102 8:2 / /host/data rw - xfs /dev/sdb rw
105 102 8:1 /var/lib/cairn/master.key /host/etc/key rw - ext4 /dev/sda1 rw
106 102 8:1 /home /host/home/all rw - ext4 /dev/sda1 rw
107 102 0:5 / /host/proc rw - proc proc rw
108 107 0:6 / /host/proc/sys/fs/binfmt_misc rw - binfmt_misc none rw
109 101 8:3 / /state/data rw - ext4 /dev/sdc rw
110 102 8:3 /db /host/mnt/db rw - ext4 /dev/sdc rw
not a mount
"""


def mount_id(path: Path) -> int | None:
    """The id of the mount with the longest point above a path."""
    found = [mount for mount in parse(CONTAINER) if path.is_relative_to(mount.point)]
    return max(found, key=lambda mount: len(mount.point.parts)).id


@pytest.fixture
def mounts() -> Mounts:
    return Mounts(parse(CONTAINER), mount_id=mount_id)


def test_a_directory_is_a_place_in_its_file_system_whatever_it_is_called(mounts: Mounts) -> None:
    assert mounts.place(Path("/state/keys/a")) == Place("8:1", Path("/var/lib/cairn/keys/a"))
    assert mounts.place(Path("/host/var/lib/cairn/keys/a")) == mounts.place(Path("/state/keys/a"))
    assert mounts.place(Path("/host/srv/my keys/a")) == mounts.place(Path("/state/keys/a"))


def test_every_name_of_a_state_that_is_mounted_twice_is_known(mounts: Mounts) -> None:
    names = {name for place in mounts.places(Path("/state")) for name in mounts.names(place)}

    assert names == {
        Path("/state"),
        Path("/host/var/lib/cairn"),
        Path("/host/srv/my keys"),
        Path("/host/etc/key"),
        Path("/state/data"),
        Path("/host/mnt/db"),
    }


@pytest.mark.parametrize(
    ("path", "within"),
    [
        ("/state", True),
        ("/host/srv/my keys/deeper", True),
        ("/host/mnt/db/x", True),
        ("/host/var/lib", False),
        ("/host/data", False),
        ("/host/var/lib/cairn-too", False),
    ],
)
def test_what_is_within_the_state_is_told_from_what_is_around_it(mounts: Mounts, path: str, *, within: bool) -> None:
    place = mounts.place(Path(path))

    assert place is not None
    assert any(place.is_in(own) for own in mounts.places(Path("/state"))) is within


def test_what_the_kernel_makes_up_is_known_by_its_type(mounts: Mounts) -> None:
    assert [str(mount.point) for mount in mounts.below(Path("/host")) if mount.is_pseudo] == [
        "/host/proc",
        "/host/proc/sys/fs/binfmt_misc",
    ]
    found = mounts.at(Path("/host/proc/self"))
    assert found is not None
    assert (found.type, found.is_pseudo) == ("proc", True)


def test_the_kernel_tells_in_which_mount_a_path_lies(tmp_path: Path) -> None:
    mounts = Mounts.read()

    here, made_up = mounts.at(tmp_path / "not" / "there"), mounts.at(Path("/proc/self"))

    assert here is not None
    assert tmp_path.is_relative_to(here.point)
    assert not here.is_pseudo
    assert made_up is not None
    assert made_up.is_pseudo


def test_where_nothing_is_told_of_mounts_nothing_is_known(tmp_path: Path) -> None:
    mounts = Mounts.read(tmp_path / "nowhere")

    assert mounts.place(tmp_path) is None
    assert mounts.places(tmp_path) == []


def test_a_line_of_what_is_left_out_is_one_line() -> None:
    root = Path("/source")
    left_out = LeftOut(
        own=(root / "own\n/x",), pseudo=((root / "p\nseudo", "proc"),), pseudo_files=((root / "f\nile", "nsfs"),)
    )

    said = list(left_out.in_words(root))

    assert [line.partition(" ")[0] for line in said] == ["/own\\n/x", "/p\\nseudo", "/f\\nile"]
    assert all(line.isprintable() for line in said)
