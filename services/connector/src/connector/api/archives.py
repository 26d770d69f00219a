"""Many files as one HTTP response."""

from starlette.responses import Response

from connector.api.streaming import Streamed, attachment
from connector.downloads.archives.archive import Archive
from connector.stores.open_stores import OpenStores


def respond(archive: Archive, stores: OpenStores) -> Response:
    """The archive as an attachment. Its length is not known before its end."""
    headers = {
        "Content-Type": archive.media_type,
        "Content-Disposition": attachment(archive.name),
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Streamed(archive, stores, status=200, headers=headers)
