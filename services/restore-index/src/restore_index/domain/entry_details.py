"""All that is known of one entry, as it is shown."""

import base64
import stat
from collections.abc import Sequence
from typing import Any

from contracts.paths import shown

from restore_index.domain.directory_listing import show_breadcrumbs, show_entry, show_time
from restore_index.domain.entries import Below, FullEntry

_KINDS = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "dev": stat.S_IFBLK,
    "chardev": stat.S_IFCHR,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
_UNKNOWN = ("mtime", "ctime", "atime", "mode", "permissions", "uid", "gid", "user", "group", "links", "link_target")


def show_details(names: Sequence[bytes], entry: FullEntry, totals: Below | None) -> dict[str, Any]:
    """An entry with its owner, times, links and extended attributes. `totals` are those of a directory."""
    return {
        "link_target": None,
        **show_entry(names[:-1], entry),
        "breadcrumbs": show_breadcrumbs(names),
        "permissions": show_permissions(entry),
        "uid": entry.uid,
        "gid": entry.gid,
        "user": entry.user,
        "group": entry.group,
        "links": entry.links,
        "ctime": _since(entry, entry.ctime_since),
        "atime": _since(entry, entry.atime_since),
        "attributes": [show_attribute(*attribute) for attribute in entry.attributes or ()],
        "totals": totals,
    }


def show_root(totals: Below) -> dict[str, Any]:
    """The root of a restore point: a backup stores its content, but no time, owner or mode."""
    return {
        "name": "/",
        "path": "/",
        "type": "dir",
        "size": totals.bytes,
        "files": totals.files,
        **dict.fromkeys(_UNKNOWN),
        "breadcrumbs": show_breadcrumbs([]),
        "attributes": [],
        "totals": totals,
    }


def show_permissions(entry: FullEntry) -> str:
    """The mode as `ls` shows it: `drwxr-xr-x`."""
    return stat.filemode(_KINDS.get(entry.type, 0) | entry.mode & 0o7777)


def show_attribute(name: bytes, value: bytes | None, length: int) -> dict[str, Any]:
    """An extended attribute; its value as text where it can be read, else in base64, and null where it was too long."""
    text, encoding = None, None
    if value is not None:
        try:
            text, encoding = value.decode(), "text"
        except UnicodeDecodeError:
            encoding = "base64"
        # Control characters in a value could change what a terminal shows.
        if text is None or not text.isprintable():
            text, encoding = base64.b64encode(value).decode(), "base64"
    return {"name": shown(name), "value": text, "encoding": encoding, "length": length}


def _since(entry: FullEntry, since: int | None) -> str | None:
    return None if since is None else show_time(entry.mtime_ns + since)
