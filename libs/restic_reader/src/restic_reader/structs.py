"""The JSON documents of a repository. Fields that are not needed are skipped, unknown ones ignored.

Source: "Repository Format" in restic's references. Values stay as they were written; properties translate them when
they are asked for, so that listing a large directory pays only for what is used. A property raises `Damaged`
where the text is malformed.
"""

from typing import Annotated

import msgspec

from restic_reader.restic_json import posix_mode, time_ns, unquote

Natural = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""What counts something, and fits into eight bytes wherever it is written next."""


class Config(msgspec.Struct, frozen=True):
    """The file `config`: format version, and the repository's own id (64 hex digits)."""

    version: int
    id: str
    chunker_polynomial: str = ""


class KeyFile(msgspec.Struct, frozen=True):
    """One way in: scrypt parameters, and the master keys sealed with what scrypt makes of the password."""

    kdf: str
    N: int
    r: int
    p: int
    salt: bytes
    data: bytes


class MacKey(msgspec.Struct, frozen=True):
    """The authentication half of the master keys."""

    k: bytes
    r: bytes


class MasterKeys(msgspec.Struct, frozen=True):
    """What a key file holds once it is open."""

    mac: MacKey
    encrypt: bytes


class Lock(msgspec.Struct, frozen=True):
    """A process that says it works on the repository. `id` is the name of its file (64 hex digits).

    One that cannot be read, as a process leaves that was cut off, has neither host nor time.
    """

    time: str = ""
    exclusive: bool = False
    hostname: str = ""
    username: str = ""
    pid: Natural = 0
    id: str = ""

    @property
    def time_ns(self) -> int:
        """When it was last renewed, in nanoseconds since 1970."""
        return time_ns(self.time)


class Summary(msgspec.Struct, frozen=True):
    """What the backup that made a snapshot counted; sizes in bytes."""

    backup_start: str = ""
    backup_end: str = ""
    files_new: Natural = 0
    files_changed: Natural = 0
    files_unmodified: Natural = 0
    dirs_new: Natural = 0
    dirs_changed: Natural = 0
    dirs_unmodified: Natural = 0
    data_blobs: Natural = 0
    tree_blobs: Natural = 0
    data_added: Natural = 0
    data_added_packed: Natural = 0
    total_files_processed: Natural = 0
    total_bytes_processed: Natural = 0


class Snapshot(msgspec.Struct, frozen=True):
    """One restore point: when, of what, and the root of its tree. `id` is the name of its file (64 hex digits)."""

    time: str
    tree: str
    id: str = ""
    paths: tuple[str, ...] | None = ()
    hostname: str = ""
    username: str = ""
    uid: Natural = 0
    gid: Natural = 0
    excludes: tuple[str, ...] | None = ()
    tags: tuple[str, ...] | None = ()
    parent: str | None = None
    original: str | None = None
    program_version: str = ""
    summary: Summary | None = None

    @property
    def time_ns(self) -> int:
        """When the backup started, in nanoseconds since 1970 (UTC)."""
        return time_ns(self.time)


# `gc=False`, here and below: a node leads to nothing that leads back, and a directory may have millions of them.
class ExtendedAttribute(msgspec.Struct, frozen=True, gc=False):
    """One extended attribute of a node."""

    name: str
    value: bytes | None = None


class Name(msgspec.Struct, frozen=True, gc=False):
    """How a node is called."""

    quoted_name: str = msgspec.field(name="name")

    @property
    def name(self) -> bytes:
        """The name as the source had it, byte for byte."""
        return unquote(self.quoted_name)

    @property
    def shown_name(self) -> str:
        """The name as people see it: bytes that are not UTF-8 appear as `\\xNN`."""
        return self.name.decode("utf-8", "backslashreplace")


class Child(Name, frozen=True, gc=False):
    """What a directory's totals need to know of a node."""

    type: str
    size: Natural = 0
    subtree: str | None = None


class Entry(Name, frozen=True, gc=False):
    """What a listing tells of a node: `content` holds the ids of a file's blobs in order, `subtree` that of a tree."""

    type: str
    mode: Natural = 0
    mtime: str = "1970-01-01T00:00:00Z"
    size: Natural = 0
    subtree: str | None = None
    linktarget: str = ""
    # restic writes it where the target is not UTF-8, which `linktarget` then has only in part.
    linktarget_raw: bytes | None = None
    uid: Natural = 0
    gid: Natural = 0
    user: str = ""
    group: str = ""
    links: Natural = 0
    atime: str = ""
    ctime: str = ""
    content: tuple[str, ...] | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] | None = None

    @property
    def mtime_ns(self) -> int:
        """Time of the last change of content, in nanoseconds since 1970 (UTC)."""
        return time_ns(self.mtime)

    @property
    def atime_ns(self) -> int | None:
        """Time of the last access, in nanoseconds since 1970 (UTC); None where it was not kept."""
        return time_ns(self.atime) if self.atime else None

    @property
    def ctime_ns(self) -> int | None:
        """Time of the last change of metadata, in nanoseconds since 1970 (UTC); None where it was not kept."""
        return time_ns(self.ctime) if self.ctime else None

    @property
    def st_mode(self) -> int:
        """Type and permission bits as POSIX has them."""
        return posix_mode(self.type, self.mode)

    @property
    def link_target(self) -> bytes:
        """Where a symbolic link points, byte for byte; empty for anything else."""
        return self.linktarget.encode() if self.linktarget_raw is None else self.linktarget_raw


class Node(Entry, frozen=True, gc=False):
    """Everything known about one file, directory, link or device.

    `type` is one of file, dir, symlink, dev, chardev, fifo, socket, irregular.
    """

    inode: int = 0
    device_id: int = 0
    device: int = 0
    error: str = ""

    @property
    def may_have_other_names(self) -> bool:
        """Whether it may be a hard link. Of pipes restic does not count the names; device and inode tell them."""
        is_uncounted = not self.links and self.type not in ("file", "dir")
        return self.links > 1 or bool(is_uncounted and self.inode and self.device_id)


class Tree(msgspec.Struct, frozen=True):
    """A directory with all that is known of its nodes."""

    nodes: list[Node] | None = None


class Listing(msgspec.Struct, frozen=True):
    """A directory with what a listing shows of its nodes."""

    nodes: list[Entry] | None = None


class IndexBlob(msgspec.Struct, frozen=True, gc=False):
    """Where one blob lies in its pack; `uncompressed_length` is 0 where it is stored as it is."""

    id: str
    type: str
    offset: int
    length: int
    uncompressed_length: int = 0


class IndexPack(msgspec.Struct, frozen=True, gc=False):
    """The blobs of one pack file."""

    id: str
    blobs: list[IndexBlob] | None = None


class IndexFile(msgspec.Struct, frozen=True):
    """One index file: packs, each with its blobs."""

    packs: list[IndexPack] | None = None
