"""Paths in restore points. Names are bytes. Pure, so that decisions may use it too."""

from collections.abc import Sequence

from contracts.errors import Invalid

# A name other than `.` and `..`, without look-ahead, which not every reader of JSON Schema supports: one that begins
# with no dot, with one dot and something else, or with two and something more.
_PART = r"([^/.\x00][^/\x00]*|\.[^/.\x00][^/\x00]*|\.\.[^/\x00]+)"
PATH_PATTERN = f"^(/|(/{_PART})+/?)$"
"""What `split_path` takes, as a regular expression of JSON Schema."""


def split_path(path: bytes) -> list[bytes]:
    """The names that lead from the root to what a path means; none for the root itself.

    Raises `Invalid` (`path_invalid`) unless it is absolute and without empty, `.` and `..` parts; one slash may follow.
    """
    if not path.startswith(b"/"):
        raise Invalid("path_invalid", "A path in a restore point begins with a slash.")
    parts = path.removesuffix(b"/").split(b"/")[1:]
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        raise Invalid("path_invalid", "A path in a restore point has no empty parts, `.`, `..` or NUL in it.")
    return parts


def path_fault(path: str) -> str | None:
    """Why a text is no path of a restore point, in words that do not quote it; None when it is one."""
    try:
        split_path(path.encode(errors="replace"))
    except Invalid as fault:
        return f"is no such path. {fault.detail.removesuffix('.')}"
    return None


def normalized(path: str) -> str:
    """An absolute path without empty parts, `.` and `..`; one slash at its end stays. Links are not looked at."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


def without_prefix(names: Sequence[bytes], source_path: str | None) -> list[bytes] | None:
    """The rest of a path that begins with where the files were on the source; None when it does not."""
    if source_path is None:
        return None
    # Text from a tag: it may hold halves of surrogate pairs, which have no UTF-8 form and then match no path.
    prefix = [part for part in source_path.encode(errors="replace").split(b"/") if part]
    if not prefix or list(names[: len(prefix)]) != prefix:
        return None
    return list(names[len(prefix) :])


def shown(name: bytes) -> str:
    r"""A name as text: bytes that are not UTF-8 become `\xff`."""
    return name.decode("utf-8", "backslashreplace")
