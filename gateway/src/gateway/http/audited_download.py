"""A download that stands in the audit log before its first byte is sent."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from chassis.http.problem_responses import FILE_PROBLEMS
from chassis.http.transport import Answer
from chassis.runtime.deadlines import current_deadline
from contracts.errors import CairnError
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.audit_log.endings import OpenEntry, ending_of
from gateway.audit_log.entries import AuditEntry, Ending, Outcome
from gateway.audit_log.log import AuditLog
from gateway.clients.connector import OnStore, Stream
from gateway.http.proxy import ProxyResponse

OpenDownload = Callable[[OnStore], AbstractAsyncContextManager[Stream]]
_BROKE_OFF = "stream_broken"


class AuditedDownload(Response):
    """Passes a stream on and records how it ended. What is asked of the log is asked while the stream is opened."""

    def __init__(self, audit: AuditLog, entry: AuditEntry, open_download: OpenDownload) -> None:
        super().__init__()
        self._audit = audit
        self._entry = entry
        self._open = open_download
        self._open_entry: OpenEntry | None = None
        self._store_id: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the stream and pass it on; errors in opening it are raised before anything was sent."""
        sent = _Sent(send)
        try:
            await ProxyResponse(self._opened)(scope, receive, sent)
        except Exception as error:
            await self._end(sent, code=error.code if isinstance(error, CairnError) else _BROKE_OFF)
            raise
        except BaseException as error:
            # Once the answer has begun it has no deadline: then the client has left, or this process stops.
            await self._end(sent, code=None if sent.status else ending_of(error, current_deadline()).code)
            raise
        refusal = FILE_PROBLEMS.get(sent.status)
        await self._end(sent, code=refusal.code if refusal else None)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Answer]:
        async with self._open(self._begin) as stream:
            self._store_id = stream.store_id
            if self._open_entry:
                # Before the first byte: what is handed out and not written down cannot be taken back.
                await self._open_entry.written()
            yield stream.answer

    def _begin(self, store_id: str) -> None:
        # The likeliest store, as workers are asked meanwhile; the ending names the one that gave the bytes.
        details = {**self._entry.details, "store_id": store_id}
        self._open_entry = self._audit.begin(self._entry.model_copy(update={"details": details}))

    async def _end(self, sent: "_Sent", *, code: str | None = None) -> None:
        # Refused before anything was asked of a store: that leaves no entry.
        if self._open_entry is None:
            return
        outcome: Outcome = "failed" if code else "completed" if sent.whole else "cancelled"
        facts = {"store_id": self._store_id} if self._store_id else {}
        await self._open_entry.end(Ending(outcome=outcome, code=code, details={"bytes": sent.bytes, **facts}))


class _Sent:
    """Counts what goes to the client."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = self.bytes = 0
        self.whole = False

    async def __call__(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.bytes += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
