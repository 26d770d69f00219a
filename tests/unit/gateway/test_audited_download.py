"""A download is written down before anything of it is sent, and its end whatever that is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from chassis.http.transport import Answer, BrokenOff
from chassis.persistence.mongo import PyMongoError
from contracts.errors import CairnError, NotFound
from contracts.values import OrganizationId
from gateway.audit_log.entries import Actor, AuditEntry, AuditRow, Ending, Subject, selection_details
from gateway.audit_log.log import AuditLog
from gateway.audit_log.store import AuditStore
from gateway.clients.connector import OnStore, Stream
from gateway.http.audited_download import AuditedDownload
from starlette.types import Message

SCOPE = {"type": "http", "path": "/api/v1/x"}


class Notebook(AuditStore):
    """Entries in memory, or nowhere."""

    def __init__(self, *, fails: bool = False) -> None:
        self.row: AuditRow | None = None
        self.ending: Ending | None = None
        self.fails = fails

    async def begin(self, row: AuditRow) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise PyMongoError
        self.row = row

    async def end(self, org: OrganizationId, entry_id: str, ending: Ending, now: datetime) -> None:
        assert self.row is not None
        assert (org, entry_id) == ("org", self.row.id)
        self.ending = ending


class Client:
    """Sends nothing and hears all; `gone_after` messages it leaves."""

    def __init__(self, *, gone_after: int = 99) -> None:
        self.heard: list[Message] = []
        self._left = asyncio.Event()
        self._gone_after = gone_after

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.heard.append(message)
        if len(self.heard) >= self._gone_after:
            self._left.set()
            await asyncio.Event().wait()


async def served(notebook: Notebook, client: Client, pieces: AsyncIterator[bytes], *, status: int = 200) -> None:
    @asynccontextmanager
    async def opened(on_store: OnStore) -> AsyncIterator[Stream]:
        on_store("likely")
        assert not client.heard
        yield Stream(Answer(status, {"content-type": "text/plain"}, pieces), "store")

    await run(notebook, client, opened)


async def run(notebook: Notebook, client: Client, opened: object) -> None:
    entry = AuditEntry(
        organization_id=OrganizationId("org"), actor=Actor(account_id="a", via="badge"), action="file.download",
        subject=Subject(kind="snapshot", id="s"), details=selection_details(["/a"]),
    )  # fmt: skip
    download = AuditedDownload(AuditLog(notebook, kept_days=1), entry, opened)  # type: ignore[arg-type]
    await download(SCOPE, client.receive, client.send)


async def pieces(*contents: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for content in contents:
        yield content
    if error:
        raise error


def end_of(notebook: Notebook) -> tuple[str, str | None, object]:
    assert notebook.ending
    return notebook.ending.outcome, notebook.ending.code, notebook.ending.details.get("bytes")


async def test_a_whole_download() -> None:
    notebook, client = Notebook(), Client()
    await served(notebook, client, pieces(b"abc", b"de"))

    assert notebook.row
    assert notebook.row.entry.details == {"paths": ["/a"], "paths_total": 1, "store_id": "likely"}
    assert end_of(notebook) == ("completed", None, 5)
    assert notebook.ending
    assert notebook.ending.details["store_id"] == "store"


async def test_nothing_is_sent_that_cannot_be_written_down() -> None:
    client = Client()
    with pytest.raises(CairnError, match="audit_unavailable"):
        await served(Notebook(fails=True), client, pieces(b"abc"))

    assert client.heard == []


async def test_a_stream_that_breaks_off() -> None:
    notebook = Notebook()
    with pytest.raises(BrokenOff):
        await served(notebook, Client(), pieces(b"abc", error=BrokenOff()))

    assert end_of(notebook) == ("failed", "stream_broken", 3)


async def test_a_client_that_leaves() -> None:
    notebook = Notebook()
    await served(notebook, Client(gone_after=3), pieces(b"abc", b"de", b"f"))

    assert end_of(notebook) == ("cancelled", None, 3)


async def test_a_server_that_stops() -> None:
    notebook, client = Notebook(), Client()
    forever = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"
        await forever.wait()

    serving = asyncio.create_task(served(notebook, client, endless()))
    while len(client.heard) < 2:
        await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    assert end_of(notebook) == ("cancelled", None, 3)


async def test_a_file_that_is_refused() -> None:
    notebook = Notebook()

    @asynccontextmanager
    async def opened(on_store: OnStore) -> AsyncIterator[Stream]:
        on_store("likely")
        raise NotFound("path_not_found", "No.")
        yield

    with pytest.raises(NotFound):
        await run(notebook, Client(), opened)

    assert end_of(notebook) == ("failed", "path_not_found", 0)


async def test_a_range_that_is_refused() -> None:
    notebook = Notebook()
    await served(notebook, Client(), pieces(), status=416)

    assert end_of(notebook)[:2] == ("failed", "range_not_satisfiable")


async def test_a_restore_point_that_nobody_knows_leaves_no_entry() -> None:
    notebook = Notebook()

    @asynccontextmanager
    async def opened(_: OnStore) -> AsyncIterator[Stream]:
        raise NotFound("snapshot_not_found", "No.")
        yield

    with pytest.raises(NotFound):
        await run(notebook, Client(), opened)

    assert notebook.row is None


def test_of_a_large_selection_some_is_told() -> None:
    told = selection_details(["/" + "x" * 5000] * 1000, range="y" * 5000, format=None)

    assert told["paths_total"] == 1000
    assert len(str(told)) < 25_000
    assert "format" not in told
