"""Writes files of a restore point as objects: called from threads, run in the event loop of the worker."""

import asyncio
import os
import stat
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from contracts.errors import CairnError

from integrations.object_storage.key_paths import key_of
from integrations.s3.uploads import Uploads, part_bytes, parts_of
from integrations.sdk.cancellation import unless_cancelled
from integrations.sdk.node_types import type_in_words
from integrations.sdk.ports.destination import ExistingFile, NamesOf, NotWritten, RestoredNode, Write

T = TypeVar("T")
# S3 takes no parts under 5 MiB, but for the last one; memory holds one or two for each writer.
_PART_BYTES = 8 << 20
_WRITERS = 8
_KEY_BYTES_MAX = 1024
"""Source: the S3 user guide, "Naming Amazon S3 objects"."""
_IN_KEYS = ExistingFile(None, 0)


class RestoredObjects:
    """See `OpenDestination`. A part of an object for each writer is all that is in memory."""

    writers = _WRITERS

    def __init__(
        self,
        uploads: Uploads,
        *,
        names_of: NamesOf,
        off_limits: Mapping[str, str],
        keeps_times: bool = True,
        loop: asyncio.AbstractEventLoop,
        cancel: asyncio.Event,
    ) -> None:
        """`off_limits`: how keys begin that are never written, with the reason."""
        self._uploads = uploads
        self._names_of = names_of
        self._off_limits = off_limits
        self._keeps_times = keeps_times
        self._loop = loop
        self._cancel = cancel
        self._not_seen: set[str] = set()
        """Keys that could not be looked up: what is there is not known, and may have to stay."""

    def existing(self, restored: RestoredNode) -> ExistingFile | None:
        """See `OpenDestination.existing`."""
        if restored.node.type != "dir":
            return self._looked_up(self._key(restored))
        # Directories with something in them are parts of keys, and so are always there.
        found = self._wait(self._uploads.look_up(self._key(restored, end="/"))) if restored.is_empty else _IN_KEYS
        return found and replace(found, kind=stat.S_IFDIR)

    def require_keepable(self, restored: RestoredNode) -> None:
        """See `OpenDestination.require_keepable`."""
        if restored.node.type not in ("file", "dir"):
            raise NotWritten(f"{type_in_words(restored.node)} cannot be kept as an object")

    def give_attributes(self, _restored: RestoredNode) -> bool:
        """See `OpenDestination.give_attributes`: an object has no more than its time, which is the same."""
        return True

    def make_directory(self, restored: RestoredNode, *, keep_attributes: bool) -> bool:
        """See `OpenDestination.make_directory`: an empty one is an object that says so, others are parts of keys."""
        if not restored.is_empty:
            return False
        key = self._key(restored, end="/")
        # What stays as it is has to be looked at.
        is_there = self._looked_up(key) is not None if keep_attributes else self._is_there(key)
        # What is called like a marker may have content.
        if not (is_there and keep_attributes):
            self._wait(self._uploads.put(key, b"", modified_ns=self._modified_ns(restored)))
        return not is_there

    def writing(self, restored: RestoredNode) -> Write:
        """See `OpenDestination.writing`: objects need no directory before them."""
        return partial(self.write, restored)

    def write(self, restored: RestoredNode, pieces: Iterator[bytes]) -> bool:
        """See `OpenDestination.write`."""
        self.require_keepable(restored)
        key, modified_ns = self._key(restored), self._modified_ns(restored)
        was_there = restored.is_there
        if was_there is None:
            was_there = self._is_there(key)
        parts = parts_of(pieces, part_bytes(restored.node.size, least=_PART_BYTES))
        first, second = next(parts), next(parts, None)
        if second is None:
            self._wait(self._uploads.put(key, first, modified_ns=modified_ns))
        else:
            self._write_parts(key, chain((first, second), parts), modified_ns=modified_ns)
        return was_there

    def finish(self) -> None:
        """See `OpenDestination.finish`: objects have their times already."""

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        """See `OpenDestination.lacking`: a marker of a directory has nothing to do without."""
        return ()

    def read(self, restored: RestoredNode) -> Iterator[bytes]:
        """See `OpenDestination.read`."""
        key, offset = self._key(restored), 0
        if restored.node.size == 0:
            # A range of nothing is refused, by some servers as an error of their own.
            yield self._wait(self._uploads.read(key))
            return
        while piece := self._wait(self._uploads.read(key, offset, _PART_BYTES)):
            yield piece
            offset += len(piece)
            if len(piece) < _PART_BYTES:
                return

    def _looked_up(self, key: str) -> ExistingFile | None:
        try:
            return self._wait(self._uploads.look_up(key))
        except NotWritten:
            self._not_seen.add(key)
            raise

    def _is_there(self, key: str) -> bool:
        """Whether something will be replaced, for the count; False also where only writing is allowed."""
        # A server tells keys without the right to list 403 of what is not there.
        with suppress(NotWritten) if key not in self._not_seen else nullcontext():
            return self._wait(self._uploads.look_up(key)) is not None
        return False

    def _write_parts(self, key: str, parts: Iterator[bytes], *, modified_ns: int | None) -> None:
        upload = self._wait(self._uploads.begin(key, modified_ns=modified_ns))
        try:
            tags = [self._wait(self._uploads.put_part(key, upload, n, part)) for n, part in enumerate(parts, 1)]
            self._wait(self._uploads.complete(key, upload, tags))
        except BaseException:
            # Parts that no object is made of stay, unseen, and cost money. Also where the job was cancelled.
            with suppress(CairnError, NotWritten):
                asyncio.run_coroutine_threadsafe(self._uploads.abort(key, upload), self._loop).result()
            raise

    def _modified_ns(self, restored: RestoredNode) -> int | None:
        return restored.node.mtime_ns if self._keeps_times else None

    def _key(self, restored: RestoredNode, *, end: str = "") -> str:
        path = os.fsdecode(restored.path)
        key = (key_of(path) if self._names_of == "objects" else path) + end
        for begin, why in self._off_limits.items():
            if key.startswith(begin):
                raise NotWritten(why)
        if len(os.fsencode(key)) > _KEY_BYTES_MAX:
            raise NotWritten(f"its key would be longer than {_KEY_BYTES_MAX} bytes")
        return key

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(unless_cancelled(work, self._cancel), self._loop).result()
