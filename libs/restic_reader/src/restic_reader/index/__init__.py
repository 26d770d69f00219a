"""Where each blob lies: sorted tables of 48 bytes a blob, in files that may be deleted at any time, or in memory."""

from restic_reader.index.blob_index import BlobIndex, Location
from restic_reader.index.loader import IndexLoader
from restic_reader.index.table import Unusable
from restic_reader.index.table_cache import TableCache

__all__ = ["BlobIndex", "IndexLoader", "Location", "TableCache", "Unusable"]
