"""A process that writes files of a restore: it opens what is stored of them, writes, reads back and compares.

Python does one thing at a time in a process, and a small file costs more of its time than of the disk's.
"""

import gc
import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256

import msgspec
from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.ports.destination import NotWritten
from integrations.sdk.ports.shared_destination import FileWriter, Place
from restic_reader import BlobInvalid, ReaderError, Unsealing, Wanted, read_sealed

from connector.restore.writer_messages import (
    Answer,
    Batch,
    FileToWrite,
    MessageCut,
    Setup,
    Written,
    receive,
    send,
)

_DIFFERS = "what was written and read back is not what the restore point has"
_UNREADABLE, _LEFT = Written("unreadable"), Written("left")
_ENDS = ("destination_full", "destination_refused")
_batches, _encoder = msgspec.msgpack.Decoder(Batch), msgspec.msgpack.Encoder()


class WriterProcess:
    """Carries out the batches that come through a socket."""

    def __init__(self, channel: socket.socket, setup: Setup) -> None:
        self._channel = channel
        self._files = setup.files
        self._unsealing = Unsealing(setup.keys)
        self._writer: FileWriter = setup.make_writer()
        self._is_stopped = False
        # Without being asked for, it tells that the other side has ended.
        self._hang_up = select.poll()
        self._hang_up.register(channel, 0)
        self._buffer = memoryview(bytearray(1 << 20))

    def run(self) -> None:
        """Work until the other side closes the socket."""
        with suppress(MessageCut):
            send(self._channel, _encoder.encode(Answer(os.getpid(), [])))
            while True:
                message, descriptors = receive(self._channel)
                try:
                    written = self._carry_out(_batches.decode(message), descriptors)
                finally:
                    for each in descriptors:
                        os.close(each)
                send(self._channel, _encoder.encode(Answer(os.getpid(), written)))

    def stop(self) -> None:
        """Write no further file."""
        self._is_stopped = True

    def _carry_out(self, batch: Batch, descriptors: Sequence[int]) -> list[Written]:
        places = [Place(descriptor, inherits) for descriptor, inherits in zip(descriptors, batch.inherits, strict=True)]
        read = self._read(batch)
        written: list[Written] = []
        for file in batch.files:
            # Once the restore has ended, another attempt may follow.
            if self._is_stopped or self._hang_up.poll(0):
                break
            written.append(self._write(file, places[file.directory], read, compares=batch.compares))
            if written[-1].outcome in _ENDS:
                break
        return written + [_LEFT] * (len(batch.files) - len(written))

    def _read(self, batch: Batch) -> dict[str, memoryview | None]:
        """What is stored of the blobs that did not come with the files. One that cannot be read is left to the restore,
        which may find it elsewhere, and knows what to say.
        """
        wanted = [
            Wanted(blob_id, blob.location)
            for file in batch.files
            for blob_id, blob in zip(file.node.content or (), file.blobs, strict=True)
            if blob.sealed is None
        ]
        if self._files is not None:
            with suppress(ReaderError):
                return {each.wanted.blob_id: each.sealed for each in read_sealed(self._files, wanted)}
        return {}

    def _write(self, file: FileToWrite, place: Place, read: dict[str, memoryview | None], *, compares: bool) -> Written:
        ids = file.node.content or ()
        try:
            pieces = [self._opened(blob_id, file, number, read) for number, blob_id in enumerate(ids)]
            if not compares:
                _require_ids(ids, pieces)
            compare = partial(self._compare, ids, pieces) if compares else None
            put = self._writer.write(file.node, file.name, place, iter(pieces), compare=compare)
        except (BlobInvalid, ReaderError):
            return _UNREADABLE
        except NotWritten as error:
            return Written("not_written", error.has_replaced, reason=error.reason)
        except DestinationFull as error:
            return Written("destination_full", reason=error.why)
        except DestinationRefused as error:
            return Written("destination_refused", reason=error.detail)
        return Written("not_written" if put.lacking else "written", put.was_there, put.is_sure, put.lacking)

    def _opened(self, blob_id: str, file: FileToWrite, number: int, read: dict[str, memoryview | None]) -> bytes:
        location, sealed = file.blobs[number].location, file.blobs[number].sealed or read.get(blob_id)
        if sealed is None:
            raise BlobInvalid("cannot be read")
        return self._unsealing.open(sealed, plain_length=location.plain_length, compressed=location.compressed)

    def _compare(self, ids: Sequence[str], pieces: Sequence[bytes], file: int) -> None:
        """Compare what is in a file with the ids of its blobs.

        By that the blobs are compared with their ids too: what was read from the store is not hashed by itself.
        """
        try:
            is_same = self._is_same(ids, pieces, file)
        except OSError as error:
            raise NotWritten(f"cannot be read back: {(error.strerror or '').lower()}") from None
        if not is_same:
            _require_ids(ids, pieces)
            raise NotWritten(_DIFFERS)

    def _is_same(self, ids: Sequence[str], pieces: Sequence[bytes], file: int) -> bool:
        offset = 0
        for blob_id, piece in zip(ids, pieces, strict=True):
            if self._hash(file, offset, len(piece)) != blob_id:
                return False
            offset += len(piece)
        return os.fstat(file).st_size == offset

    def _hash(self, file: int, offset: int, length: int) -> str:
        """Of so much of a file; of less where it ends before."""
        found = sha256()
        while length and (count := os.preadv(file, [self._buffer[:length]], offset)):
            found.update(self._buffer[:count])
            offset, length = offset + count, length - count
        return found.hexdigest()


def _require_ids(ids: Sequence[str], pieces: Sequence[bytes]) -> None:
    for blob_id, piece in zip(ids, pieces, strict=True):
        if sha256(piece).hexdigest() != blob_id:
            raise BlobInvalid("has another content than its id says")


def main() -> None:
    """Arguments: the descriptors of sockets, for a process each."""
    # What is made for a file does not refer to itself: to look for what does costs time for each.
    gc.set_threshold(100_000)
    mine, *others = map(int, sys.argv[1:])
    while others:
        other = others.pop()
        # Forked, as to load all that is needed takes as long as to write a thousand files.
        if os.fork() == 0:
            for each in (mine, *others):
                os.close(each)  # It seemed to be alive as long as anybody has it.
            _work(other)
            os._exit(0)  # There is nothing to clean up, which would take longer than many files.
        os.close(other)
    _work(mine)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    os._exit(0)


def _work(descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as channel, suppress(MessageCut):
        message, _ = receive(channel)
        # Written by the process that started this one, and seen by nobody else.
        process = WriterProcess(channel, pickle.loads(message))  # noqa: S301
        signal.signal(signal.SIGTERM, lambda *_: process.stop())
        process.run()


if __name__ == "__main__":
    main()
