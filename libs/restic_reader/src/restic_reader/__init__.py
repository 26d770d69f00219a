"""Cairn's own read-only reader of the restic repository format (versions 1 and 2)."""

from restic_reader.access import Access, may_have_lost_snapshots, require_parts, seal_of
from restic_reader.blob_runs import Wanted
from restic_reader.crypto import Keys
from restic_reader.directory_totals import Totals
from restic_reader.errors import ReaderError
from restic_reader.file_sequence import ReadFile
from restic_reader.index import Location
from restic_reader.keys import KeyRing
from restic_reader.limits import IndexLimits, Limits
from restic_reader.local_files import LocalFiles
from restic_reader.memory_files import MemoryFiles
from restic_reader.node_checks import subtree_of
from restic_reader.object_files import ObjectFiles
from restic_reader.pre_order import Found
from restic_reader.repository import Repository
from restic_reader.rest_files import RestFiles
from restic_reader.sealed_blobs import SealedBlob, read_sealed
from restic_reader.sealed_sequence import Asked
from restic_reader.storage import FileKind, RepositoryFiles, StoredFile
from restic_reader.stored_packs import StoredPacks
from restic_reader.structs import Config, Entry, ExtendedAttribute, Lock, Node, Snapshot, Summary
from restic_reader.unsealing import BlobInvalid, Unsealing
from restic_reader.valid_names import check_names
from restic_reader.walked_directories import Directory, LargeDirectory, Walked

__all__ = [
    "Access",
    "Asked",
    "BlobInvalid",
    "Config",
    "Directory",
    "Entry",
    "ExtendedAttribute",
    "FileKind",
    "Found",
    "IndexLimits",
    "KeyRing",
    "Keys",
    "LargeDirectory",
    "Limits",
    "LocalFiles",
    "Location",
    "Lock",
    "MemoryFiles",
    "Node",
    "ObjectFiles",
    "ReadFile",
    "ReaderError",
    "Repository",
    "RepositoryFiles",
    "RestFiles",
    "SealedBlob",
    "Snapshot",
    "StoredFile",
    "StoredPacks",
    "Summary",
    "Totals",
    "Unsealing",
    "Walked",
    "Wanted",
    "check_names",
    "may_have_lost_snapshots",
    "read_sealed",
    "require_parts",
    "seal_of",
    "subtree_of",
]
