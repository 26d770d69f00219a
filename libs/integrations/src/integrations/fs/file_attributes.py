"""Owner, mode, times and extended attributes of what is restored, as far as this process may give them."""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from functools import cached_property

from contracts.task_types.restore import Keep
from restic_reader import ExtendedAttribute, Node

DEFAULT_ACL = "system.posix_acl_default"
_ACL = "system.posix_acl_access"
_ACLS = frozenset({_ACL, DEFAULT_ACL})
_TAKES_OVER = stat.S_ISUID | stat.S_ISGID
_FOR_EVERYBODY = "user."
_ALL = Keep()


class Attributes:
    """Gives attributes of a restore point's nodes."""

    def __init__(self, *, is_root: bool, keep: Keep = _ALL) -> None:
        self._is_root = is_root
        self._keep = keep
        self._own = (os.geteuid(), os.getegid())

    def give(self, opened: int, node: Node, *, made: os.stat_result, inherits: bool = False) -> str:
        """All attributes of a new file by its descriptor; what it must do without, in words, if anything.

        `made`: what it is like so far; `inherits`: it may have an access list from the directory that it is in.
        """
        mode = self._mode(node, lambda: os.fchown(opened, node.uid, node.gid), owner=(made.st_uid, made.st_gid))
        if inherits and self._keep.mode:
            _remove(opened, (_ACL,))
        lacking = self._extended(opened, node) if node.extended_attributes else ""
        # After the owner, whose change clears setuid, and the attributes, which a read-only mode would refuse.
        os.fchmod(opened, self._new_file_mode if mode is None else mode)
        if self._keep.times:
            os.utime(opened, ns=_times(node))
        return lacking

    def give_to_directory(self, opened: int, node: Node, *, mode_otherwise: int, inherits: bool = False) -> str:
        """All attributes of a directory, new or not, by its descriptor; what it must do without, in words.

        `mode_otherwise`: what it has where modes are not kept; `inherits`: as of `give`.
        """
        mode = self._mode(node, lambda: os.fchown(opened, node.uid, node.gid))
        if inherits and self._keep.mode:
            _remove(opened, _ACLS)
        _remove(opened, self._strange_attributes(opened, node))
        lacking = self._extended(opened, node)
        os.fchmod(opened, mode_otherwise if mode is None else mode)
        if self._keep.times:
            os.utime(opened, ns=_times(node))
        return lacking

    def give_to_link(self, opened: int, node: Node) -> str:
        """Those of a link itself, by an `O_PATH` descriptor."""
        path = _place(opened)
        self._mode(node, lambda: os.chown(path, node.uid, node.gid))
        lacking = self._extended(path, node)
        if self._keep.times:
            os.utime(path, ns=_times(node))
        return lacking

    def give_to_special(self, opened: int, node: Node, *, inherits: bool = False) -> str:
        """The attributes of a pipe or a device; an `O_PATH` descriptor takes them by its name in `/proc` only.

        `inherits`: as of `give`.
        """
        path = _place(opened)
        mode = self._mode(node, lambda: os.chown(path, node.uid, node.gid))
        if inherits and self._keep.mode:
            _remove(path, (_ACL,))
        lacking = self._extended(path, node)
        os.chmod(path, self._new_file_mode if mode is None else mode)  # noqa: PTH101 - no call for a mere place
        if self._keep.times:
            os.utime(path, ns=_times(node))
        return lacking

    def differ(self, opened: int, node: Node, *, found: os.stat_result) -> bool:
        """Whether what is there, by an `O_PATH` descriptor, has not all attributes that it should have, but times."""
        if self._gives_owner and (node.uid, node.gid) != (found.st_uid, found.st_gid):
            return True
        mode = None if stat.S_ISLNK(found.st_mode) else self._kept_mode(node)
        if mode is not None and mode != stat.S_IMODE(found.st_mode):
            return True
        place, wanted = _place(opened), {each.name: each.value or b"" for each in self._kept_attributes(node)}
        if self._strange_attributes(place, node):
            return True
        return any(_attribute(place, name) != value for name, value in wanted.items())

    def give_again(self, opened: int, node: Node, *, found: os.stat_result) -> str | None:
        """All attributes but times of what is there, by an `O_PATH` descriptor; what it must do without, in words.

        None where this process may not change it.
        """
        place, is_link = _place(opened), stat.S_ISLNK(found.st_mode)
        try:
            mode = self._mode(node, lambda: os.chown(place, node.uid, node.gid), owner=(found.st_uid, found.st_gid))
            if not self._is_root and not is_link:
                # Attributes may be changed only of what may be written.
                os.chmod(place, stat.S_IMODE(found.st_mode) | stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101
            try:
                _remove(place, self._strange_attributes(place, node))
                lacking = self._extended(place, node)
            finally:
                if not is_link:
                    os.chmod(place, stat.S_IMODE(found.st_mode) if mode is None else mode)  # noqa: PTH101
        except PermissionError:
            return None
        return lacking

    @cached_property
    def new_directory_mode(self) -> int:
        """The mode of a new directory that gets none of its own."""
        return 0o777 & ~_umask()

    @property
    def early_directory_mode(self) -> int:
        """The mode of one that is made before it is used: should this process die, it stays so where none is given."""
        return 0o700 if self._keep.mode else self.new_directory_mode

    @cached_property
    def _new_file_mode(self) -> int:
        return 0o666 & ~_umask()

    def _mode(self, node: Node, own: Callable[[], None], *, owner: tuple[int, int] | None = None) -> int | None:
        """Give the owner, unless that is `owner` already; the mode that follows, None where it is not kept.

        Bits that lend rights are left out where the owner is somebody else.
        """
        if self._gives_owner and (node.uid, node.gid) != owner:
            own()
        return self._kept_mode(node)

    @property
    def _gives_owner(self) -> bool:
        return self._is_root and self._keep.owner

    def _kept_mode(self, node: Node) -> int | None:
        if not self._keep.mode:
            return None
        mode = stat.S_IMODE(node.st_mode)
        return mode if self._gives_owner or (node.uid, node.gid) == self._own else mode & ~_TAKES_OVER

    def _extended(self, place: int | str, node: Node) -> str:
        lacking = []
        for each in self._kept_attributes(node):
            try:
                os.setxattr(place, each.name, each.value or b"")
            except OSError as error:
                # Other namespaces are the system's, where ordinary users may not write.
                if self._is_root or each.name.startswith(_FOR_EVERYBODY):
                    lacking.append(f"{each.name}: {(error.strerror or '').lower()}")
        return f"restored without its extended attributes ({'; '.join(lacking)})" if lacking else ""

    def _kept_attributes(self, node: Node) -> list[ExtendedAttribute]:
        kept = node.extended_attributes or () if self._keep.xattrs else ()
        return [each for each in kept if self._keep.mode or each.name not in _ACLS]

    def _strange_attributes(self, place: int | str, node: Node) -> set[str]:
        """Those of what was there that the restore point has not."""
        return {each for each in _listed(place) if self._is_given(each)} - _names(node) if self._keep.xattrs else set()

    def _is_given(self, name: str) -> bool:
        """Whether an attribute is one that somebody gave, and not the system by itself."""
        return name.startswith(_FOR_EVERYBODY) or (name in _ACLS and self._keep.mode)


def _names(node: Node) -> set[str]:
    return {each.name for each in node.extended_attributes or ()}


def _remove(place: int | str, names: Iterable[str]) -> None:
    for name in names:
        try:
            os.removexattr(place, name)
        except OSError:
            continue  # It has none.


def _listed(place: int | str) -> list[str]:
    try:
        return os.listxattr(place)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []  # Where a file system has no attributes, none is there.


def _attribute(place: str, name: str) -> bytes | None:
    try:
        return os.getxattr(place, name)
    except OSError:
        return None  # It has none.


def _place(opened: int) -> str:
    return f"/proc/self/fd/{opened}"


def _umask() -> int:
    # Without setting another one for a moment, as `os.umask` does: other threads make files.
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        return next((int(line.split()[1], 8) for line in status if line.startswith("Umask:")), 0o022)


def _times(node: Node) -> tuple[int, int]:
    modified = node.mtime_ns
    # restic writes the time of change for that of access too, where it was not to keep the latter.
    if not node.atime or node.atime == node.mtime:
        return modified, modified
    return node.atime_ns or modified, modified
