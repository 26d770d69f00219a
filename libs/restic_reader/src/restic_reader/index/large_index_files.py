"""Index files of hundreds of megabytes, taken apart while they come in."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from restic_reader.structs import IndexPack

# Possessive: a string that ends in a later piece must not be tried in every other way.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)
_PACK_BYTES_MOST = 128 << 20
_BATCH = 256
_PACKS = b'"packs"'

_pack = msgspec.json.Decoder(IndexPack)


def split_packs(pieces: Iterable[bytes]) -> Iterator[list[IndexPack]]:
    """What the array `packs` of the JSON object in these pieces holds, many elements at a time.

    Raises `msgspec.MsgspecError` where an element is none of a pack, or `ValueError` where the brackets do not match
    or one element is larger than that of the largest pack.
    """
    batch: list[IndexPack] = []
    for element in _Elements(pieces):
        batch.append(_pack.decode(element))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


class _Elements:
    """The texts of the elements, found by following strings and brackets alone; each is parsed by who takes it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._text = bytearray()
        self._scanned = 0
        self._start: int | None = None
        self._depth = 0
        self._begun = self._in_packs = False
        self._key = b""

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._text += piece
            yield from self._complete()
            self._forget_used()
        if self._depth or not self._begun:
            raise ValueError("the document ends early")

    def _complete(self) -> Iterator[bytes]:
        """The elements that end in the text at hand."""
        for token in _TOKEN.finditer(self._text, self._scanned):
            if token[0] == b'"':  # the rest of this string is still to come
                self._scanned = token.start()
                return
            self._scanned = token.end()
            if self._ends_element(token[0], token.start()):
                yield bytes(self._text[self._start : self._scanned])
                self._start = None
        self._scanned = len(self._text)

    def _ends_element(self, token: bytes, at: int) -> bool:
        if token in (b"{", b"["):
            self._open(token, at)
        elif token in (b"}", b"]"):
            self._depth -= 1
            return self._depth == 2 and self._start is not None
        elif self._depth == 1:
            self._key = token
        return False

    def _open(self, token: bytes, at: int) -> None:
        if self._depth == 0 and (self._begun or token != b"{"):
            raise ValueError("not one object")
        if self._depth == 1:
            self._in_packs = token == b"[" and self._key == _PACKS
        if self._depth == 2 and self._in_packs:
            self._start = at
        self._begun = True
        self._depth += 1

    def _forget_used(self) -> None:
        used = self._scanned if self._start is None else self._start
        del self._text[:used]
        self._scanned -= used
        self._start = None if self._start is None else 0
        if len(self._text) > _PACK_BYTES_MOST or self._depth < 0:
            raise ValueError("not the list of a pack")
