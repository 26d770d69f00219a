"""Names of files for keys of objects: any key has one, and the key follows from it (decision 0019).

A key is a text between slashes like a path, but may have parts that no directory can hold. Control characters and the
parts `.` and `..` are written as rclone writes them, so that a mount shows the same names; what rclone has no name for
is a mark and a letter. A key that needs none of this is its own path.
"""

import re
from collections.abc import Iterator

MARK = "\u201b"
# Linux's NAME_MAX, which all usual file systems share.
NAME_BYTES_MAX = 255
_EMPTY, BESIDE_FOLDER, _CONTINUES = f"{MARK}_", f"{MARK}f", f"{MARK}c"
_DOT = "\uff0e"
_INSTEAD = {chr(code): chr(0x2400 + code) for code in range(32)} | {"\x7f": "\u2421"}
_QUOTED = {MARK, "\uff0f", *_INSTEAD.values()}
_TABLE = str.maketrans(_INSTEAD | {sign: MARK + sign for sign in _QUOTED})
_BACK = {sign: character for character, sign in _INSTEAD.items()}
# A key may itself have the signs that stand for `.` and `..`: these get a mark.
_LITERAL_DOTS = {_DOT: MARK + _DOT, _DOT * 2: (MARK + _DOT) * 2}
_PIECE_BYTES_MAX = NAME_BYTES_MAX - len(_CONTINUES.encode())
# A mark belongs to the sign after it, so that a text is taken apart by such pairs.
_TOKEN = re.compile(f"{MARK}?.", re.DOTALL)


def path_of(key: str, *, beside_folder: bool = False) -> str:
    """The path of a key, relative to the source's root.

    `beside_folder`: other keys go on after this one and a slash, so that its own name is taken by a folder.
    """
    *folders, name = map(_name, key.split("/"))
    name += BESIDE_FOLDER if beside_folder else ""
    return "/".join(piece for part in (*folders, name) for piece in _pieces(part))


def key_of(path: str) -> str:
    """The key behind a path that `path_of` gave."""
    parts, part = [], ""
    for piece in path.split("/"):
        goes_on = _TOKEN.findall(piece)[-1:] == [_CONTINUES]
        part += piece.removesuffix(_CONTINUES) if goes_on else piece
        if not goes_on:
            parts.append(_part(part))
            part = ""
    return "/".join(parts)


def can_be_mounted(path: str) -> bool:
    """Whether a mount shows the object at this path: it has none of the names that only a copy gives."""
    return not any(token in (_EMPTY, BESIDE_FOLDER, _CONTINUES) for token in _TOKEN.findall(path))


def _name(part: str) -> str:
    if part == "":
        return _EMPTY
    if part in (".", ".."):
        return _DOT * len(part)
    return _LITERAL_DOTS.get(part) or part.translate(_TABLE)


def _part(name: str) -> str:
    name = name.removesuffix(BESIDE_FOLDER) if _TOKEN.findall(name)[-1:] == [BESIDE_FOLDER] else name
    if name == _EMPTY:
        return ""
    if name in (_DOT, _DOT * 2):
        return "." * len(name)
    return "".join(_BACK.get(token, token[-1]) for token in _TOKEN.findall(name))


def _pieces(part: str) -> Iterator[str]:
    """The part, or pieces of it that are short enough for a name; no sign is parted from its mark."""
    if _bytes(part) <= NAME_BYTES_MAX:
        yield part
        return
    piece = ""
    for token in _TOKEN.findall(part):
        if _bytes(piece) + _bytes(token) > _PIECE_BYTES_MAX:
            yield piece + _CONTINUES
            piece = ""
        piece += token
    yield piece


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
