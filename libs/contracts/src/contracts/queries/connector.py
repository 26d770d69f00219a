"""What workers are asked and answer."""

from typing import Annotated, Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import Field

from contracts.values import Value

ArchiveFormat = Literal["zip", "tar.zst"]


def quoted(path: bytes) -> str:
    """A path as text that keeps every byte."""
    # JSON holds texts, and names of files are bytes that need not be UTF-8.
    return quote_from_bytes(path)


class SelectionQuestion(Value):
    """Do all paths lead somewhere, and do they mean one file? Paths are percent-encoded bytes."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def asked(self) -> list[bytes]:
        """The paths as bytes."""
        return [unquote_to_bytes(path.encode(errors="replace")) for path in self.paths]


class ArchiveQuestion(SelectionQuestion):
    """What an archive is to hold."""

    format: ArchiveFormat


class Selection(Value):
    """A selection whose paths all lead somewhere."""

    one_file: bool
