"""What is mounted where, as the kernel reports it: so a directory is recognized under every name that it has.

Source: proc(5), `/proc/[pid]/mountinfo`. A directory has one name in its file system, since it cannot be linked; mounts
give it more. Not seen: the same tree through another file system (an overlay's layers, a network share of a directory
of this machine), which to the kernel is another directory.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PSEUDO = frozenset(
    {
        *("binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devpts", "devtmpfs"),
        *("efivarfs", "fusectl", "mqueue", "nfsd", "nsfs", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs"),
        *("selinuxfs", "smackfs", "sysfs", "tracefs"),
    }
)
"""Types of file systems that the kernel makes up: nothing in them is kept anywhere, and some never end."""
# The kernel writes spaces, tabs, line ends and backslashes in paths as octal numbers.
_ESCAPED = re.compile(rb"\\([0-7]{3})")
_LEAST_FIELDS = 10
MountId = Callable[[Path], int | None]


@dataclass(frozen=True)
class Mount:
    """A file system, or a directory of one, as it is mounted."""

    id: int
    device: str
    """`major:minor`, the same for all mounts of a file system."""
    root: Path
    """What is mounted: a path in the file system."""
    point: Path
    """Where it is mounted."""
    type: str

    @property
    def is_pseudo(self) -> bool:
        """Whether the kernel makes up what is in it."""
        return self.type in PSEUDO


@dataclass(frozen=True)
class Place:
    """What a path means, whatever it is called: a path in a file system."""

    device: str
    path: Path

    def is_in(self, other: "Place") -> bool:
        """Whether this is the other place, or below it."""
        return self.device == other.device and self.path.is_relative_to(other.path)


class Mounts:
    """The mounts that a process sees, in the order of mounting."""

    def __init__(self, mounts: Iterable[Mount], *, mount_id: MountId | None = None) -> None:
        self._all = tuple(mounts)
        self._mount_id = mount_id or _mount_id

    @classmethod
    def read(cls, table: Path = Path("/proc/self/mountinfo")) -> "Mounts":
        """Those of this process; none where the kernel does not tell."""
        try:
            return cls(parse(table.read_bytes()))
        except FileNotFoundError:
            return cls(())

    def at(self, path: Path) -> Mount | None:
        """The mount in which a path lies, which need not be there; links in it are not followed."""
        # What is not there lies in the mount of the nearest directory above that is.
        for each in (path, *path.parents):
            if (mount_id := self._mount_id(each)) is not None:
                return next((mount for mount in self._all if mount.id == mount_id), None)
        return None

    def below(self, directory: Path) -> list[Mount]:
        """What is mounted below a directory."""
        return [each for each in self._all if each.point != directory and each.point.is_relative_to(directory)]

    def shows(self, mount: Mount) -> bool:
        """Whether a mount is what its point leads to: another may be mounted over it, or over a directory above."""
        return self.at(mount.point) is mount

    def place(self, path: Path) -> Place | None:
        """What a path means."""
        mount = self.at(path)
        return _place(path, mount) if mount and path.is_relative_to(mount.point) else None

    def places(self, own: Path) -> list[Place]:
        """What a directory means, and what is mounted below it."""
        inside = [Place(mount.device, mount.root) for mount in self.below(own) if not mount.is_pseudo]
        return [place for place in (self.place(own), *inside) if place is not None]

    def names(self, place: Place) -> Iterator[Path]:
        """The paths by which a place, or a part of it, may be reached."""
        for mount in self._all:
            if mount.device != place.device:
                continue
            if mount.root.is_relative_to(place.path):
                yield mount.point
            elif place.path.is_relative_to(mount.root):
                yield mount.point / place.path.relative_to(mount.root)


def parse(table: bytes) -> Iterator[Mount]:
    """The mounts of a `mountinfo`; lines of another form are passed over."""
    for line in table.splitlines():
        fields = line.split(b" ")
        if len(fields) < _LEAST_FIELDS or b"-" not in fields[6:]:
            continue
        # A dash ends the optional fields, of which a line has any number.
        kind = fields[fields.index(b"-", 6) + 1]
        root, point = (Path(os.fsdecode(_ESCAPED.sub(_unescape, each))) for each in fields[3:5])
        yield Mount(int(fields[0]), fields[2].decode(), root, point, kind.decode(errors="replace"))


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8) & 0xFF])


def _place(path: Path, mount: Mount) -> Place:
    return Place(mount.device, mount.root / path.relative_to(mount.point))


def _mount_id(path: Path) -> int | None:
    """The kernel's own number of the mount in which a path lies; None where nothing is there, or may be looked at."""
    try:
        # O_PATH needs no right to read, and does not set off what opening a device or a FIFO would.
        opened = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # `os.stat` tells the device only, which all mounts of a file system share.
        facts = Path(f"/proc/self/fdinfo/{opened}").read_text()
    except OSError:
        return None
    finally:
        os.close(opened)
    return next((int(line.split()[1]) for line in facts.splitlines() if line.startswith("mnt_id:")), None)
