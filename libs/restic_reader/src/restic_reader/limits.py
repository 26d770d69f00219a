"""How much of a repository is in memory at a time, and how large a part of one may be."""

from dataclasses import dataclass, field

BLOB_BYTES_MOST = 128 << 20
"""As much as the largest pack, and the most that one blob takes in memory; directories may be larger, see `spill`."""

RUN_BYTES, RUN_GAP = 4 << 20, 64 << 10
"""Neighbours in a pack share a read of up to so many bytes: to read over such a gap is faster than another request."""


@dataclass(frozen=True, kw_only=True)
class IndexLimits:
    """Limits for the index. Smaller ones give the same answers with more reading and writing."""

    large_file_bytes: int = 16 << 20
    """An index file of more bytes is copied to the disk and opened from there. restic writes files of some 8 MiB."""
    piece_bytes: int = 4 << 20
    """How much of a large index file is read at a time."""
    whole_bytes: int = 32 << 20
    """Of JSON: what is longer is split into its packs before it is decoded, as decoded it takes several times more."""
    expanded_bytes: int = 4 << 30
    """Of JSON: an index file that expands to more is damaged."""
    run_records: int = 1 << 16
    """So many records (48 bytes each) are sorted in memory; more are sorted in runs on the disk."""
    slice_records: int = 1 << 20
    """So many records with the same leading byte are taken in any case; see `Uneven`."""
    table_bytes: int = 4 << 20
    """A table of no more bytes is kept in memory although it has a file."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits for reading a repository. Smaller ones give the same answers, except where something is refused."""

    key_work: int = 1 << 24
    """Of n * r * p of scrypt: keys that take more are refused. restic chooses some 64 times less, half a second."""
    document_bytes: int = 128 << 20
    """A configuration, snapshot or lock that expands to more is damaged."""
    large_directory_bytes: int = 8 << 20
    """Directories of more bytes of JSON, some 20,000 entries, are read in parts."""
    directory_part_bytes: int = 1 << 20
    """How much of a large directory is decoded at a time."""
    node_bytes: int = 1 << 29
    """A large directory with a node of more bytes of JSON is damaged."""
    trees_together: int = 512
    """So many directories of one depth are read together in a walk."""
    waiting_bytes: int = 8 << 20
    """So many bytes of directories are kept while those below them are walked; others are read a second time."""
    asked_together: int = 4096
    """So many directories are asked for at a time whether they are known."""
    totals_in_memory: int = 1_000_000
    """So many directories' totals are kept in memory during a walk, some 100 bytes each; more go to the disk."""
    index: IndexLimits = field(default_factory=IndexLimits)


DEFAULT_LIMITS = Limits()
