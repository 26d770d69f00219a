"""Where each blob lies: sorted tables of 48 bytes a blob, in files that may be deleted at any time, or in memory."""

from connector.repository.index.blob_index import BlobIndex, Location
from connector.repository.index.loading import IndexLoader
from connector.repository.index.shelf import Shelf
from connector.repository.index.table import Unusable

__all__ = ["BlobIndex", "IndexLoader", "Location", "Shelf", "Unusable"]
