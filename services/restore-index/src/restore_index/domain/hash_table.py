"""A table of values by 32-byte hashes, for millions of them: little more memory than what is in it."""

from collections.abc import Iterator
from itertools import chain

DIGEST_BYTES = 32
_PER_BUCKET = 32
_PUTS_A_SPLIT = 8


class HashTable:
    """Values of one size by hashes; about 5 bytes are needed beside each. Not for several threads at once.

    Records lie side by side in buckets, chosen by the first bits of the hash; when buckets have on average 32 records
    each is split in two, one with every eighth record that comes: nobody waits while millions are dealt out. Hashes
    must be evenly spread, as those of SHA-256 are.
    """

    def __init__(self, value_bytes: int) -> None:
        self._size = DIGEST_BYTES + value_bytes
        # The first four bytes choose the bucket: enough for more buckets than there is memory for.
        self._shift = 32
        self._buckets = [b""]
        self._halves: list[bytes] = []
        """Of the buckets that were split, in their order; these are empty."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, digest: bytes) -> bytes | None:
        """The value kept for a hash; None also for what is no hash."""
        if len(digest) != DIGEST_BYTES:
            return None
        buckets, number = self._place(digest)
        bucket = buckets[number]
        start = self._find(bucket, digest)
        return None if start < 0 else bucket[start + DIGEST_BYTES : start + self._size]

    def put(self, digest: bytes, value: bytes) -> None:
        """Keep a value for a hash; one that is there stays. Raises `ValueError` for other sizes than were agreed."""
        if len(digest) != DIGEST_BYTES or len(digest) + len(value) != self._size:
            raise ValueError("a hash or value of another size")
        self.put_all(digest + value)

    def put_all(self, packed: bytes) -> None:
        """`put` records that lie side by side, each a hash and its value."""
        if len(packed) % self._size:
            raise ValueError("a record of another size")
        for start in range(0, len(packed), self._size):
            record = packed[start : start + self._size]
            buckets, number = self._place(record)
            bucket = buckets[number]
            if self._find(bucket, record[:DIGEST_BYTES]) < 0:
                buckets[number] = bucket + record
                self._count += 1
                if self._count > _PER_BUCKET * len(self._buckets) and self._count % _PUTS_A_SPLIT == 0:
                    self._split_next()

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """All hashes and values, in no certain order."""
        for bucket in chain(self._halves, self._buckets):
            for start in range(0, len(bucket), self._size):
                yield bucket[start : start + DIGEST_BYTES], bucket[start + DIGEST_BYTES : start + self._size]

    def _place(self, digest: bytes) -> tuple[list[bytes], int]:
        """Where the bucket of a hash is."""
        bits = int.from_bytes(digest[:4])
        number = bits >> self._shift
        if 2 * number < len(self._halves):
            return self._halves, bits >> self._shift - 1
        return self._buckets, number

    def _find(self, bucket: bytes, digest: bytes) -> int:
        """Where its record begins; below 0 if there is none."""
        start = bucket.find(digest)
        # Only a find at the beginning of a record counts.
        while start % self._size and start >= 0:  # It may also lie across two records.
            start = bucket.find(digest, start + 1)
        return start

    def _split_next(self) -> None:
        """Split one more bucket; there is never room for two tables."""
        number = len(self._halves) // 2
        bucket, self._buckets[number] = self._buckets[number], b""
        halves: tuple[list[bytes], list[bytes]] = ([], [])
        for start in range(0, len(bucket), self._size):
            record = bucket[start : start + self._size]
            halves[int.from_bytes(record[:4]) >> self._shift - 1 & 1].append(record)
        self._halves += map(b"".join, halves)
        if number + 1 == len(self._buckets):
            self._buckets, self._halves = self._halves, []
            self._shift -= 1
