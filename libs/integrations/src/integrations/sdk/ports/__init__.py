"""What an integration can do with an app of its protocols: small ports, each optional, one in each file.

The kinds of its manifest's protocols say which it has: `source` needs a `FileSource`, `store` a `Store`, `destination`
a `Destination`; every integration has a `ConnectionTest`. All calls take an app of one of the manifest's protocols and
may run at the same time.
"""

from integrations.sdk.ports.connection_test import ConnectionTest
from integrations.sdk.ports.destination import Destination
from integrations.sdk.ports.file_source import FileSource
from integrations.sdk.ports.limited_reach import LimitedReach
from integrations.sdk.ports.retaining_store import RetainingStore
from integrations.sdk.ports.store import Store

__all__ = ["ConnectionTest", "Destination", "FileSource", "LimitedReach", "RetainingStore", "Store"]
