"""What a path inside a restore point may mean. What is shown of names is text that can be given back as a path."""

import re
from collections.abc import Iterator, Sequence
from itertools import product

from contracts.paths import shown

_SHOWN_BYTE = re.compile(rb"\\x[89a-f][0-9a-f]")
# At most 2**8 readings of one name: the path comes from outside, and each reading is looked up.
_GUESSES_FOR = 8


def show_path(names: Sequence[bytes]) -> str:
    """An absolute path as text."""
    return "/" + "/".join(map(shown, names))


def possible_names(part: bytes) -> Iterator[bytes]:
    r"""The names that a part of a path may mean, most likely first: its bytes; then names that are shown like it."""
    yield part
    places = [found.span() for found in _SHOWN_BYTE.finditer(part)]
    choices = [(True, False)] * len(places) if len(places) <= _GUESSES_FOR else [(True,)] * len(places)
    for chosen in product(*choices) if places else ():
        name = _with_bytes(part, [place for place, take in zip(places, chosen, strict=True) if take])
        if name != part and shown(name).encode() == part:
            yield name


def _with_bytes(part: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    pieces, reached = [], 0
    for start, end in places:
        pieces += [part[reached:start], bytes.fromhex(part[start + 2 : end].decode())]
        reached = end
    return b"".join([*pieces, part[reached:]])
