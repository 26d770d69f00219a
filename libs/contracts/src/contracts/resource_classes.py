"""The classes and subclasses of resources that have names. The list is open: others are stored as they come."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TITLES: Mapping[str, str] = {
    "s3": "S3",
    "gcs": "Google Cloud Storage",
    "azblob": "Azure Blob Storage",
    "pvc": "Persistent Volume Claim",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mongodb": "MongoDB",
    "redis": "Redis",
    "proxmox": "Proxmox",
    "ftp": "FTP",
    "imap": "IMAP",
    "sftp": "SFTP",
    "posix": "POSIX",
}
# By class: another name for a subclass, and the one that stands for both.
_ALIASES: Mapping[tuple[str, str], str] = {("database", "postgres"): "postgresql"}


@dataclass(frozen=True)
class Subclass:
    """A subclass of a class."""

    name: str

    @property
    def title(self) -> str:
        """What it is called for people."""
        return title_of(self.name)


@dataclass(frozen=True)
class ResourceClass:
    """A class of resources; `is_grouped`: pages that count resources by class show it."""

    name: str
    subclasses: tuple[Subclass, ...] = ()
    is_grouped: bool = False

    @property
    def title(self) -> str:
        """What it is called for people."""
        return title_of(self.name)


def _class(name: str, *subclasses: str, is_grouped: bool = False) -> ResourceClass:
    return ResourceClass(name, tuple(map(Subclass, subclasses)), is_grouped)


RESOURCE_CLASSES = (
    _class("compute", is_grouped=True),
    _class("database", "postgresql", "mysql", "mongodb", "redis", is_grouped=True),
    _class("file-storage", "posix", is_grouped=True),
    _class("object-storage", "s3", "gcs", "azblob", is_grouped=True),
    _class("block-storage", "pvc", is_grouped=True),
    _class("network", is_grouped=True),
    _class("hypervisor", "proxmox", is_grouped=True),
    _class("service", "ftp", "imap", "sftp", is_grouped=True),
    _class("analytics"),
    _class("identity"),
    _class("messaging"),
    _class("observability"),
    _class("registry"),
    _class("security", "secret-manager"),
    _class("unknown"),
)
"""In the order in which people are shown them."""


_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_BY_LETTERS = {each.name.replace("-", ""): each.name for each in RESOURCE_CLASSES}


def class_of(written: str) -> str:
    """The class that people mean: `ObjectStorage`, `Object Storage` and `OBJECT_STORAGE` are `object-storage`.

    One that is not known is what was written; a blank one is none.
    """
    return _BY_LETTERS.get(_BETWEEN_WORDS.sub("", written).lower(), written if written.strip() else "")


def subclass_of(class_: str, written: str) -> str:
    """The subclass of a class that people mean: `S3` is `s3`, and the `Postgres` of a `Database` is `postgresql`.

    For comparisons alone; what is stored and shown is what was written.
    """
    name = _BETWEEN_WORDS.sub("-", written.strip()).lower()
    return _ALIASES.get((class_of(class_), name), name)


def is_same_class(one: str, other: str) -> bool:
    """Whether two names of classes mean the same: `ObjectStorage` is `object-storage`."""
    return class_of(one) == class_of(other)


def is_same_subclass(class_: str, one: str, other: str) -> bool:
    """Whether two names of a class's subclasses mean the same: `postgres` is `postgresql`."""
    return subclass_of(class_, one) == subclass_of(class_, other)


def title_of(name: str) -> str:
    """A class or subclass as people read it: `object-storage` as `Object Storage`, `s3` as `S3`."""
    return _TITLES.get(name) or " ".join(word[:1].upper() + word[1:] for word in name.split("-"))
