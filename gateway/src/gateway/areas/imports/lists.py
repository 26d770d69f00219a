"""Lists that clients send: kept in files, and read in a process of their own while the API goes on answering."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Any

import orjson
from chassis.subprocesses.children import ChildCommand, open_child
from contracts.errors import CairnError, InternalError, PermanentError
from starlette.exceptions import HTTPException

_PROGRAM = "gateway.areas.imports.list_process"
_YIELD_EVERY = 20


class ListInvalid(PermanentError):
    """A list cannot be used; `fields` names the lines, columns and reasons."""


@dataclass(frozen=True)
class Upload:
    """A list as it came."""

    file: IO[bytes]
    size: int
    digest: bytes


@dataclass(frozen=True)
class UsableList:
    """A list without a fault: its parts, each as JSON, and the URNs in it."""

    rows: int
    parts: Sequence[bytes]
    urns: frozenset[str]


@dataclass(frozen=True)
class Difference:
    """What a list would change."""

    added: int
    changed: int
    unchanged: int
    removed: int
    removed_urns: frozenset[str]


@asynccontextmanager
async def received(content: AsyncIterable[bytes], *, most_bytes: int) -> AsyncIterator[Upload]:
    """Take what a client sends into a file. Raises a 413 when it is too large."""
    # Written at once, not by a thread: it goes to the memory of the system, in pieces of the size of a packet.
    with TemporaryFile() as file:
        digest, size = sha256(), 0
        async for piece in content:
            size += len(piece)
            if size > most_bytes:
                raise HTTPException(413, f"A list must not exceed {most_bytes} bytes.")
            digest.update(piece)
            file.write(piece)
        file.flush()
        yield Upload(file, size, digest.digest())


async def read(upload: Upload) -> UsableList:
    """The list. Raises `ListInvalid` when anything is wrong with it."""
    with TemporaryFile() as found:
        about = await _run(upload, found)
        parts: list[bytes] = []
        urns: set[str] = set()
        for number, line in enumerate(found):
            parts.append(line)
            urns.update(row["urn"] for row in orjson.loads(line))
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return UsableList(about["rows"], parts, frozenset(urns))


async def compare(upload: Upload, present: Upload) -> Difference:
    """What the list would change of what is there. Raises `ListInvalid` when anything is wrong with it."""
    with TemporaryFile() as found:
        about = await _run(upload, found, present)
        return Difference(**about, removed_urns=frozenset(orjson.loads(found.readline())))


async def _run(upload: Upload, found: IO[bytes], *compared: Upload) -> dict[str, Any]:
    """What the process says first; the rest is in the file, from where it stands."""
    descriptors = [upload.file.fileno(), found.fileno(), *(other.file.fileno() for other in compared)]
    arguments = [sys.executable, "-m", _PROGRAM, *map(str, descriptors)]
    said: deque[bytes] = deque(maxlen=20)
    async with open_child(ChildCommand(arguments=arguments, descriptors=descriptors)) as child:
        await child.pump(on_output=said.append, on_error=said.append)
        if code := await child.wait():
            words = b"\n".join(said).decode(errors="replace")
            raise InternalError("list_unread", "The list could not be read.") from RuntimeError(
                f"ended {code}: {words}"
            )
    found.seek(0)
    about: dict[str, Any] = orjson.loads(found.readline())
    if "faults" in about:
        raise _invalid(about["faults"], about["total"])
    return about


def _invalid(faults: Sequence[tuple[int, str, str]], total: int) -> CairnError:
    fields = {f"lines.{line}.{column}" if column else f"lines.{line}": detail for line, column, detail in faults}
    line, column, detail = faults[0]
    place = f"line {line}, {column.partition('.')[0]}" if column else f"line {line}"
    many = f"{total} faults" if total > 1 else "a fault"
    shown = f" Of them {len(faults)} are named." if total > len(faults) else ""
    return ListInvalid(
        "list_invalid", f"Nothing was imported: the list has {many}; {place}: {detail}.{shown}", fields=fields
    )
