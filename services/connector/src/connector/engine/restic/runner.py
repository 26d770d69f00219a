"""Runs one restic child: reads its two streams, watches over it, and says in words how it ended."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil
from chassis.runtime.supervision import begin
from chassis.subprocesses.children import Child, ChildCommand, open_child
from integrations.sdk.errors import Cancelled
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import StoreLocation
from integrations.sdk.redaction import Redactor

from connector.engine.errors import StoreUnreachable
from connector.engine.restic.environment import ResticSettings, environment, gc_variables, global_arguments
from connector.engine.restic.exit_codes import is_final, judge_end, judge_reason, read_retry
from connector.engine.restic.json_lines import Message, read_message

_SAMPLE_SECONDS = 1.0


@dataclass(frozen=True)
class Usage:
    """What a child used at a moment."""

    cpu_percent: float = 0.0
    memory_bytes: int = 0


def _ignore(*_: object) -> None:
    """Listens to nothing."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told what a child says. Texts are scrubbed."""

    on_output: Callable[[bytes], None] = _ignore
    on_error: Callable[[Message], None] = _ignore
    on_usage: Callable[[Usage], None] = _ignore
    on_log: OnLog = _ignore


class Complaints:
    """Standard error of one run: keeps restic's last words, and gives up on a store that cannot be opened."""

    def __init__(self, listener: Listener, scrub: Redactor, *, patience_seconds: float) -> None:
        self._listener = listener
        self._scrub = scrub
        self._patience_seconds = patience_seconds
        self._since: float | None = None
        self.words = ""
        self.last_retry = ""

    def take(self, line: bytes) -> None:
        """One line. Raises the `WorkFailed` of a store that will not open."""
        text = self._scrub(line.decode("utf-8", "backslashreplace"))
        message = read_message(text)
        if message is None:
            self._take_text(text)
        elif message["message_type"] == "exit_error":
            self.words = str(message.get("message", ""))
        else:
            self._listener.on_error(message)

    def _take_text(self, text: str) -> None:
        if not text.strip() or text.startswith("signal interrupt received"):
            return
        self._listener.on_log("warning", text)
        retry = read_retry(text)
        if retry is None:
            self.words = text
            return
        self.last_retry = retry.reason
        if retry.opening:
            self._give_up(retry.reason)

    def _give_up(self, reason: str) -> None:
        now = monotonic()
        self._since = self._since if self._since is not None else now
        if is_final(reason) or now - self._since >= self._patience_seconds:
            raise judge_reason(reason) or StoreUnreachable(reason)


class Runner:
    """Runs restic on stores, one child a call."""

    def __init__(self, settings: ResticSettings) -> None:
        self._settings = settings

    async def run(
        self,
        store: StoreLocation,
        arguments: Sequence[str],
        *,
        listener: Listener | None = None,
        directory: Path | None = None,
        cancel: asyncio.Event | None = None,
        good: frozenset[int] = frozenset({0}),
        patience_seconds: float | None = None,
        more_memory: bool = False,
    ) -> int:
        """Run to the end; its exit code, one of `good`. Raises the `WorkFailed` behind any other, or `Cancelled`.

        With `more_memory` it may take more of that than it does by itself, to be faster.
        """
        if cancel is not None and cancel.is_set():
            raise Cancelled
        listener = listener or Listener()
        # restic repeats parts of requests and addresses in its errors, which end up in the log of the job.
        scrub = Redactor(store.secrets)
        patience = self._settings.open_patience_seconds if patience_seconds is None else patience_seconds
        complaints = Complaints(listener, scrub, patience_seconds=patience)
        command = ChildCommand(
            arguments=[*global_arguments(store, self._settings), *arguments],
            environment=environment(store) | (gc_variables(self._settings) if more_memory else {}),
            directory=directory,
            nice=self._settings.nice,
        )
        exit_code = await self._watch(command, listener, complaints=complaints, cancel=cancel)
        if exit_code in good:
            return exit_code
        if cancel is not None and cancel.is_set():
            raise Cancelled
        raise judge_end(f"restic {arguments[0]}", exit_code, words=complaints.words, last_retry=complaints.last_retry)

    async def collect(
        self, store: StoreLocation, arguments: Sequence[str], *, patience_seconds: float | None = None
    ) -> bytes:
        """Run to the end and return all of standard output."""
        lines: list[bytes] = []
        listener = Listener(on_output=lines.append)
        await self.run(store, arguments, listener=listener, patience_seconds=patience_seconds)
        return b"\n".join(lines)

    async def _watch(
        self, command: ChildCommand, listener: Listener, *, complaints: Complaints, cancel: asyncio.Event | None
    ) -> int:
        async with open_child(command) as child:
            helpers = [begin("usage of restic", _sample(child, listener.on_usage))]
            if cancel is not None:
                helpers.append(begin("stop of restic", self._stop_when(cancel, child)))
            try:
                await child.pump(on_output=listener.on_output, on_error=complaints.take)
                return await child.wait()
            finally:
                for helper in helpers:
                    helper.cancel()

    async def _stop_when(self, cancel: asyncio.Event, child: Child) -> None:
        await cancel.wait()
        await child.stop(grace_seconds=self._settings.stop_grace_seconds)


async def _sample(child: Child, on_usage: Callable[[Usage], None]) -> None:
    with suppress(psutil.Error):
        process = psutil.Process(child.pid)
        while child.exit_code is None:
            on_usage(Usage(process.cpu_percent(), process.memory_info().rss))
            await asyncio.sleep(_SAMPLE_SECONDS)
