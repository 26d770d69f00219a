"""Many files as one HTTP response."""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, Field
from starlette.responses import Response

from connector.api.streaming import Streamed, attachment
from connector.downloads.archives.archive import Archive, Format
from connector.stores.open_stores import OpenStores


class SelectionBody(BaseModel):
    """Paths as percent-encoded bytes."""

    paths: Annotated[list[str], Field(min_length=1)]

    @property
    def asked(self) -> list[bytes]:
        """The paths as bytes."""
        return [unquote_to_bytes(path.encode(errors="replace")) for path in self.paths]


class ArchiveBody(SelectionBody):
    """What an archive is to hold."""

    format: Format


def respond(archive: Archive, stores: OpenStores) -> Response:
    """The archive as an attachment. Its length is not known before its end."""
    headers = {
        "Content-Type": archive.media_type,
        "Content-Disposition": attachment(archive.name),
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Streamed(archive, stores, status=200, headers=headers)
