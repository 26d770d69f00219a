"""Whether a process can do its work: all of its checks are asked at once, and none is waited for long."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from contracts.errors import CairnError

from chassis.runtime.deadlines import Deadline, under
from chassis.runtime.supervision import begin

log = logging.getLogger(__name__)
CHECK_SECONDS = 1.5
Check = Callable[[], Awaitable[None]]


class Advisory:
    """A check that is reported when it fails, and leaves its process ready."""

    def __init__(self, check: Check) -> None:
        self._check = check

    async def __call__(self) -> None:
        """See `Check`."""
        await self._check()


class Readiness:
    """The checks of one process. Who asks while they are asked already gets the same answer."""

    def __init__(self, checks: Mapping[str, Check], *, patience_seconds: float = CHECK_SECONDS) -> None:
        self._checks = checks
        self._patience = patience_seconds
        self._asking: asyncio.Task[dict[str, str]] | None = None

    async def failed(self) -> dict[str, str]:
        """What keeps the process from being ready; see `reported`."""
        return {name: why for name, why in (await self.reported()).items() if not self.is_advisory(name)}

    def is_advisory(self, name: str) -> bool:
        """Whether the process is ready without what this check looks at."""
        return isinstance(self._checks[name], Advisory)

    async def reported(self) -> dict[str, str]:
        """What is not ready, each with the reason in words; empty when all is. Takes `patience_seconds` at most."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Others wait for the same answers: a probe that gives up must not cancel them.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> dict[str, str]:
        # Asked for by a request, the checks would end with the deadline of that request.
        with under(None):
            answers = await asyncio.gather(*(_reason(check, self._patience) for check in self._checks.values()))
        return {name: reason for name, reason in zip(self._checks, answers, strict=True) if reason}


async def _reason(check: Check, patience_seconds: float) -> str:
    try:
        async with asyncio.timeout(patience_seconds):
            await check()
    except TimeoutError:
        return "does not answer"
    except CairnError as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - whatever it is, this part is not ready
        return f"failed ({type(error).__name__})"
    return ""


class DeadlineExtensions:
    """Lets requests that need longer than their deadline go on while everything is ready."""

    def __init__(self, readiness: Readiness, *, look_seconds: float) -> None:
        self._readiness = readiness
        self._look_seconds = look_seconds
        self._looking: set[asyncio.Task[None]] = set()

    def watch(self, deadline: Deadline) -> asyncio.TimerHandle:
        """Look when the deadline is near, unless the handle is cancelled before."""
        return asyncio.get_running_loop().call_at(deadline.end - self._look_seconds, self._begin, deadline)

    def _begin(self, deadline: Deadline) -> None:
        task = begin("look at readiness", self._look(deadline))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, deadline: Deadline) -> None:
        if failed := await self._readiness.failed():
            log.warning("a request ends at its deadline", extra={"failed": failed})
        else:
            deadline.extend()


class RequestTimer:
    """Has the deadline of a request count from when the request is there until its answer begins."""

    def __init__(self, deadline: Deadline, extensions: DeadlineExtensions | None) -> None:
        self._deadline = deadline
        self._extensions = extensions
        self._looking: asyncio.TimerHandle | None = None
        self._ran = False

    def start(self) -> None:
        """The whole request is there. Called again it changes nothing."""
        if self._ran:
            return
        self._ran = True
        self._deadline.begin()
        if self._extensions is not None:
            self._looking = self._extensions.watch(self._deadline)

    def stop(self) -> None:
        """The answer has begun, or the request is over."""
        self._ran = True
        self._deadline.lift()
        if self._looking is not None:
            self._looking.cancel()
