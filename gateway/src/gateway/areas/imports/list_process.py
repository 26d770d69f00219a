"""A process that reads a list, so that the API goes on answering: `python -m gateway.areas.imports.list_process`.

Arguments: numbers of open files, to read the list from and to write to; with a third one, the list to compare it with.
Writes a line of JSON that says what was found. Of a list that can be used a line for each part of it follows, or
with a list to compare, the URNs of that which the new one lacks.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

from contracts.messages.imports import MOST_AT_ONCE
from contracts.resource_csv import Report, Row, read_list

MOST_PART_CHARACTERS = 150_000
"""Of a part, which is one message of at most 1 MiB; a character has up to four bytes, and a row 100 endpoints."""


def main() -> None:
    """The command line."""
    source, target, *compared = map(int, sys.argv[1:])
    found = read_list(_read(source))
    with os.fdopen(os.dup(target), "wb") as out:
        if isinstance(found, Report):
            _write(out, {"total": found.total, "faults": [list(fault) for fault in found.faults]})
        elif compared:
            _compare(out, found, _read(compared[0]))
        else:
            _write(out, {"rows": len(found)})
            for part in parts_of(found):
                _write(out, part)


def parts_of(rows: list[Row]) -> Iterator[list[dict[str, Any]]]:
    """The rows as the parts of an import have them."""
    part: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        made = {"urn": row.urn, "name": row.name, "class": row.class_, "endpoints": row.endpoints}
        size = len(row.urn) + len(row.name) + len(row.class_) + sum(map(len, row.endpoints))
        if part and (len(part) == MOST_AT_ONCE or characters + size > MOST_PART_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(made)
        characters += size
    if part:
        yield part


def _compare(out: IO[bytes], rows: list[Row], content: bytes) -> None:
    present = read_list(content, most_rows=sys.maxsize)
    if isinstance(present, Report):
        raise ValueError(f"what the inventory holds cannot be read as a list: {present.faults[0]}")
    wanted = {row.urn: row for row in rows}
    there = {row.urn: row for row in present}
    kept = wanted.keys() & there.keys()
    changed = sum(wanted[urn] != there[urn] for urn in kept)
    gone = [row.urn for row in present if row.urn not in wanted]
    counts = {"added": len(wanted) - len(kept), "changed": changed, "unchanged": len(kept) - changed}
    _write(out, {**counts, "removed": len(gone)})
    _write(out, gone)


def _read(descriptor: int) -> bytes:
    # By its own position, whatever that of the process is which opened the file.
    size, found = os.fstat(descriptor).st_size, bytearray()
    while len(found) < size and (piece := os.pread(descriptor, size - len(found), len(found))):
        found += piece
    return bytes(found)


def _write(out: IO[bytes], value: object) -> None:
    out.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    main()
