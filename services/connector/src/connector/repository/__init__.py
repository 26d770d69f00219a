"""Cairn's own read-only reader of the restic repository format (versions 1 and 2)."""

from connector.repository.access import Access, may_have_lost_snapshots, require_parts, seal_of
from connector.repository.descent import Found
from connector.repository.keys import KeyRing
from connector.repository.ledger import Totals
from connector.repository.local_files import LocalFiles
from connector.repository.memory_files import MemoryFiles
from connector.repository.names import check_names
from connector.repository.object_files import ObjectFiles
from connector.repository.repository import Repository
from connector.repository.rest_files import RestFiles
from connector.repository.sequence import ReadFile
from connector.repository.storage import FileKind, RepositoryFiles, StoredFile
from connector.repository.structs import Config, Entry, Lock, Node, Snapshot, Summary
from connector.repository.walk import Directory, LargeDirectory, Walked

__all__ = [
    "Access",
    "Config",
    "Directory",
    "Entry",
    "FileKind",
    "Found",
    "KeyRing",
    "LargeDirectory",
    "LocalFiles",
    "Lock",
    "MemoryFiles",
    "Node",
    "ObjectFiles",
    "ReadFile",
    "Repository",
    "RepositoryFiles",
    "RestFiles",
    "Snapshot",
    "StoredFile",
    "Summary",
    "Totals",
    "Walked",
    "check_names",
    "may_have_lost_snapshots",
    "require_parts",
    "seal_of",
]
