"""How restic writes names, times and modes into JSON, and what they mean on a POSIX system."""

import re
import stat
from collections.abc import Iterator
from functools import lru_cache

from restic_reader.errors import Damaged

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|\Z)", re.DOTALL)
_SIMPLE = {"a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", '"': b'"'}
_MINUTE = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):([0-5]\d):\Z", re.ASCII)
_ZONE = re.compile(r"([+-])(\d\d):(\d\d)\Z", re.ASCII)
# With 60, the leap second.
_SECONDS = {f"{second:02}": second for second in range(61)}
# Counted from March 1st of year 0, so that a leap day is the last day of its year.
_DAYS_BEFORE_1970 = 719_468

_TYPE_BITS = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "dev": stat.S_IFBLK,
    "chardev": stat.S_IFCHR,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
# Go's `os.FileMode` has these at other places than POSIX.
_GO_SETUID, _GO_SETGID, _GO_STICKY = 1 << 23, 1 << 22, 1 << 20


def unquote(text: str) -> bytes:
    """The bytes of a name that was written as the inside of a Go string literal (strconv.Quote).

    Bytes that are not UTF-8 stand there as `\\xNN`. Raises `Damaged` for an escape that Go would refuse.
    """
    if "\\" not in text:
        return text.encode()
    try:
        return b"".join(_unquoted_parts(text))
    except ValueError:
        raise Damaged("name", repr(text), why="it is not the inside of a Go string literal") from None


def _unquoted_parts(text: str) -> Iterator[bytes]:
    end = 0
    for escape in _ESCAPE.finditer(text):
        yield text[end : escape.start()].encode()
        yield _unescape(escape[1])
        end = escape.end()
    yield text[end:].encode()


def _unescape(code: str) -> bytes:
    if code in _SIMPLE:
        return _SIMPLE[code]
    if len(code) == 3 and code[0] == "x":
        return bytes((int(code[1:], 16),))
    if len(code) == 3 and code.isdecimal():
        return bytes((int(code, 8),))
    if code[:1] in ("u", "U") and len(code) > 1:
        return chr(int(code[1:], 16)).encode()
    raise ValueError


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 (UTC) of an RFC 3339 time with up to nine decimals, years 0000 to 9999.

    Raises `Damaged` for anything else.
    """
    fraction, zone = (text[20:-1], "") if text[-1:] == "Z" else (text[20:-6], text[-6:])
    try:
        seconds = _minute(text[:17]) + _SECONDS[text[17:19]]
        if zone:
            seconds -= _zone_offset(zone)
        if not fraction:
            return seconds * 1_000_000_000
        if text[19] != "." or len(fraction) > 9 or not fraction.isdecimal():
            raise ValueError
        return seconds * 1_000_000_000 + int(f"{fraction:0<9}")
    except (ValueError, KeyError):
        raise Damaged("time", repr(text), why="it is not written as RFC 3339 has it") from None


@lru_cache(maxsize=4096)
def _minute(text: str) -> int:
    """Seconds from 1970 to a minute `YYYY-MM-DDTHH:MM:` (the standard library has no year 0)."""
    found = _MINUTE.match(text)
    if found is None:
        raise ValueError
    year, month, day, hour, minute = map(int, found.groups())
    era, of_era = divmod(year - (month <= 2), 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _DAYS_BEFORE_1970
    return days * 86_400 + hour * 3600 + minute * 60


@lru_cache(maxsize=256)
def _zone_offset(zone: str) -> int:
    found = _ZONE.match(zone)
    if found is None:
        raise ValueError
    seconds = int(found[2]) * 3600 + int(found[3]) * 60
    return -seconds if found[1] == "-" else seconds


@lru_cache(maxsize=1024)
def posix_mode(kind: str, go_mode: int) -> int:
    """`st_mode` for a node's type and its Go `os.FileMode`; type bits are 0 for a type that POSIX has not."""
    mode = _TYPE_BITS.get(kind, 0) | (go_mode & 0o777)
    for go_bit, bit in ((_GO_SETUID, stat.S_ISUID), (_GO_SETGID, stat.S_ISGID), (_GO_STICKY, stat.S_ISVTX)):
        if go_mode & go_bit:
            mode |= bit
    return mode
