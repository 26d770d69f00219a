"""A directory with everything in it that a file system knows of files, and what is to be equal in a restored one."""

import os
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

HOLE = 3 << 20
_LINK_NS, _FILE_NS, _DIRECTORY_NS = 1_234_567_890_123_456_789, 987_654_321_000_000_001, 1_500_000_000_999_999_999
ACCESS_ACL, DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER, _NO_ID = 1, 2, 4, 16, 32, 0xFFFFFFFF


def acl(*, user: int, mask: int = 7) -> bytes:
    """An access list that lets one more user in (acl(5), in the kernel's notation)."""
    entries = ((_USER_OBJ, 7, _NO_ID), (_USER, 5, user), (_GROUP_OBJ, 5, _NO_ID), (_MASK, mask, _NO_ID))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in (*entries, (_OTHER, 0, _NO_ID)))


def make_tree(root: Path) -> None:
    """Fill a directory; devices and owners only as root."""
    place = os.fsencode(root)
    (root / "plain").write_bytes(b"content")
    (root / "empty").write_bytes(b"")
    (root / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "deep" / "er").mkdir(parents=True)
    for odd in (b"\xff\xfe not text", b"line\nend", "ümläut".encode(), b"-rf", b"back\\slash"):
        with open(place + b"/deep/" + odd, "wb") as file:  # noqa: PTH123 - names that are no text
            file.write(odd)
    with (root / "sparse").open("wb") as sparse:
        sparse.write(b"head")
        sparse.seek(HOLE)
        sparse.write(b"middle")
        sparse.truncate(2 * HOLE)
    for name in ("deep/second name", "deep/er/third name"):
        os.link(root / "plain", root / name)
    (root / "link").symlink_to(os.fsdecode(b"no where \xff"))
    os.link(root / "link", root / "deep" / "linked link", follow_symlinks=False)
    os.mkfifo(root / "pipe", 0o640)
    os.link(root / "pipe", root / "deep" / "linked pipe")
    _give_attributes(root)
    if os.geteuid() == 0:
        os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(root / "block", stat.S_IFBLK | 0o600, os.makedev(7, 300))
        os.link(root / "null", root / "deep" / "linked null")
        for n, name in enumerate(("tool", "deep", "link", "pipe", "null")):
            os.chown(root / name, 1000 + n, 2000 + n, follow_symlinks=False)
    (root / "tool").chmod(0o4711)
    (root / "deep").chmod(0o2751)
    (root / "deep" / "er").chmod(0o1555)
    (root / "empty").chmod(0o000)
    _give_times(root)


def _give_attributes(root: Path) -> None:
    os.setxattr(root / "plain", "user.note", b"kept\0\xff")
    os.setxattr(root / "deep", "user.of a directory", b"")
    os.setxattr(root / "tool", ACCESS_ACL, acl(user=4242))
    os.setxattr(root / "deep", ACCESS_ACL, acl(user=4243, mask=5))
    os.setxattr(root / "deep" / "er", DEFAULT_ACL, acl(user=4244))
    if os.geteuid() == 0:
        for name in ("link", "pipe", "plain"):
            os.setxattr(root / name, "trusted.mark", name.encode(), follow_symlinks=False)


def _give_times(root: Path) -> None:
    for above, directories, files in os.walk(os.fsencode(root), topdown=False):
        for name in (*directories, *files):
            path = above + b"/" + name
            mode = os.lstat(path).st_mode
            moment = _LINK_NS if stat.S_ISLNK(mode) else _DIRECTORY_NS if stat.S_ISDIR(mode) else _FILE_NS
            os.utime(path, ns=(moment, moment), follow_symlinks=False)


def properties_of(root: Path) -> dict[bytes, dict[str, Any]]:
    """All that counts of everything below a directory, by its path in it."""
    place, found = os.fsencode(root), dict[bytes, dict[str, Any]]()
    names: dict[tuple[int, int], list[bytes]] = {}
    for above, directories, files in os.walk(place):
        for name in (*directories, *files):
            path = above + b"/" + name
            shown = path[len(place) + 1 :]
            facts = os.lstat(path)
            names.setdefault((facts.st_dev, facts.st_ino), []).append(shown)
            found[shown] = _facts(path, facts)
    for together in names.values():
        for each in together:
            found[each]["names"] = sorted(together)
    return found


def _facts(path: bytes, facts: os.stat_result) -> dict[str, Any]:
    is_file, is_link = stat.S_ISREG(facts.st_mode), stat.S_ISLNK(facts.st_mode)
    attributes = {}
    with suppress(OSError):
        listed = os.listxattr(path, follow_symlinks=False)
        attributes = {each: os.getxattr(path, each, follow_symlinks=False) for each in listed}
    return {
        "type": stat.S_IFMT(facts.st_mode),
        "mode": stat.S_IMODE(facts.st_mode),
        "owner": (facts.st_uid, facts.st_gid),
        "modified_ns": facts.st_mtime_ns,
        "device": facts.st_rdev,
        "target": os.fsencode(Path(os.fsdecode(path)).readlink()) if is_link else None,
        "content": _content(path) if is_file else None,
        "holes": facts.st_blocks * 512 < facts.st_size if is_file else None,
        "attributes": attributes,
    }


def _content(path: bytes) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - names that are no text
        return file.read()
