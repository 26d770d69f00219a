"""Directories of restore points and their entries."""

from typing import Any

from pydantic import Field

from gateway.http.answers import View
from gateway.http.examples import example

LETTER: dict[str, Any] = {
    "name": "letter.txt",
    "path": "/documents/letter.txt",
    "type": "file",
    "size": 13000,
    "mtime": "2026-11-22T17:00:00.000Z",
    "mode": 420,
}
_WAY = [{"name": "/", "path": "/"}, {"name": "documents", "path": "/documents"}]
_NAME = "Bytes that are no UTF-8 are shown as `\\\\xff`"
_TYPE = "`file`, `dir`, `symlink`, `dev`, `chardev`, `fifo`, `socket` or `irregular`"


class CrumbView(View):
    """A directory on the way."""

    name: str = Field(description=_NAME)
    path: str


class TotalsView(View):
    """Sums over a directory and everything below it."""

    files: int = Field(description="All that are not directories")
    directories: int = Field(description="Itself not counted")
    bytes: int


class FileView(View):
    """An entry of a directory."""

    name: str = Field(description=_NAME)
    path: str
    type: str = Field(description=_TYPE)
    size: int = Field(description="Bytes; of a directory: of everything below it")
    mtime: str = Field(description="RFC 3339 with milliseconds")
    mode: int = Field(description="POSIX permission bits")
    link_target: str | None = Field(default=None, description="Of symbolic links only")
    files: int | None = Field(default=None, description="Of directories only: how many files are below it")


class FilesView(View):
    """A page of a directory."""

    model_config = example(
        path="/documents",
        breadcrumbs=_WAY,
        total=1,
        totals={"files": 1, "directories": 0, "bytes": 13000},
        items=[LETTER],
        next_cursor=None,
    )

    path: str
    breadcrumbs: list[CrumbView] = Field(description="The way to it, from the root")
    total: int = Field(description="Entries in the directory")
    totals: TotalsView
    items: list[FileView]
    next_cursor: str | None


class AttributeView(View):
    """An extended attribute."""

    name: str = Field(description=_NAME)
    value: str | None = Field(description="Null where it is longer than 1 KiB, which is not kept")
    encoding: str | None = Field(description="`text` or `base64`, null without a value")
    length: int = Field(description="Bytes of the value")


class EntryView(View):
    """All that is known of one entry. Of the root of a restore point a backup keeps only what is below it."""

    model_config = example(
        **LETTER,
        breadcrumbs=[*_WAY, {"name": "letter.txt", "path": "/documents/letter.txt"}],
        permissions="-rw-r--r--",
        uid=1000,
        gid=1000,
        user="ann",
        group="staff",
        links=1,
        link_target=None,
        ctime="2026-11-22T17:00:00.000Z",
        atime="2026-11-23T06:30:00.000Z",
        attributes=[{"name": "user.origin", "value": "scanner", "encoding": "text", "length": 7}],
        totals=None,
    )

    name: str = Field(description=_NAME)
    path: str
    breadcrumbs: list[CrumbView] = Field(description="The way to it from the root, itself the last")
    type: str = Field(description=_TYPE)
    size: int = Field(description="Bytes; of a directory: of everything below it")
    mode: int | None = Field(description="POSIX permission bits")
    permissions: str | None = Field(description="Type and mode as `ls` shows them: `drwxr-xr-x`")
    uid: int | None
    gid: int | None
    user: str | None = Field(description="Empty where the source had no name for it")
    group: str | None = Field(description="Empty where the source had no name for it")
    links: int | None = Field(description="Number of hard links")
    link_target: str | None = Field(description="Of symbolic links")
    mtime: str | None = Field(description="When its content was changed; RFC 3339 with milliseconds")
    ctime: str | None = Field(description="When it was changed in any way")
    atime: str | None = Field(description="When it was read")
    attributes: list[AttributeView] = Field(description="Extended attributes")
    files: int | None = Field(default=None, description="Of directories only: how many files are below it")
    totals: TotalsView | None = Field(description="Of directories")
