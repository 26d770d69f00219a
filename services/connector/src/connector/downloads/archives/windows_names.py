"""Names that Windows can make files of, for archives of what was backed up there. Pure."""

import re
from collections.abc import Sequence

_DRIVE_OR_SHARE = re.compile(r"[A-Za-z]:([\\/]|\Z)|\\\\")
_SHARE = re.compile(rb"\\\\([^\\?.][^\\]*)\\([^\\]+)\Z")
_FORBIDDEN = re.compile(rb'[<>:"|?*\\\x00-\x1f]|[. ]\Z|%(?=[0-9A-Fa-f]{2})')
_DEVICE = re.compile(rb"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)(?:[0-9]|\xc2[\xb9\xb2\xb3]))(?: *\.|\Z)", re.I)
_SHARES = b"UNC"


def is_windows(paths: Sequence[str]) -> bool:
    """Whether these places of files are places on Windows: on a drive, or in a share of a server."""
    return any(_DRIVE_OR_SHARE.match(path) for path in paths)


def windows_path(path: bytes) -> bytes:
    r"""A path that every Windows tool opens, for one of a restore point made on Windows. No two become one.

    A share `\\nas\share`, which restic keeps as one name, becomes the directories `UNC/nas/share`. Characters that
    Windows has no place for, dots and spaces at the end and the first letter of names of devices are percent-encoded,
    and so is a percent sign that could be taken for such a code; decoding them leads back.
    """
    first, *rest = path.split(b"/")
    if share := _SHARE.match(first):
        names = [_SHARES, *map(_encoded, share.groups())]
    elif first.upper() == _SHARES:
        # A real directory of that name must not merge with the one that holds shares.
        names = [_percent(first[:1]) + first[1:]]
    else:
        names = [_encoded(first)]
    return b"/".join([*names, *map(_encoded, rest)])


def _encoded(name: bytes) -> bytes:
    encoded = _FORBIDDEN.sub(lambda found: _percent(found[0]), name)
    return _percent(encoded[:1]) + encoded[1:] if _DEVICE.match(encoded) else encoded


def _percent(characters: bytes) -> bytes:
    return b"".join(b"%%%02X" % each for each in characters)
