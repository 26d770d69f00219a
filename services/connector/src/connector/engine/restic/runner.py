"""Runs one restic child: reads its two streams, watches over it, and says in words how it ended."""

import asyncio
import math
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
from connector.engine.processes import counted
from connector.engine.restic.environment import ResticSettings, environment, gc_variables, global_arguments
from connector.engine.restic.exit_codes import (
    Retry,
    error_of_exit,
    error_of_message,
    is_away,
    is_final,
    read_end_of_retries,
    read_retry,
)
from connector.engine.restic.json_lines import Message, error_words, read_message

_SAMPLE_SECONDS = 1.0


@dataclass(frozen=True)
class Usage:
    """What a child used at a moment, and which one it is."""

    cpu_percent: float = 0.0
    memory_bytes: int = 0
    process_id: int = 0


def _ignore(*_: object) -> None:
    """Listens to nothing."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told what a child says. Texts are scrubbed."""

    on_output: Callable[[bytes], None] = _ignore
    on_error: Callable[[Message], None] = _ignore
    on_usage: Callable[[Usage], None] = _ignore
    on_log: OnLog = _ignore


@dataclass(frozen=True)
class Patience:
    """How long a call that restic repeats is waited for."""

    opening_seconds: float
    """While the repository is opened."""
    away_seconds: float = math.inf
    """Afterwards, while the store is away; restic itself gives up a call after 15 minutes."""


class StderrReader:
    """Reads the standard error of one run: keeps restic's last words, and gives up on a store that does not answer."""

    def __init__(self, listener: Listener, scrub: Redactor, patience: Patience) -> None:
        self._listener = listener
        self._scrub = scrub
        self._patience = patience
        self._since: dict[str, float] = {}
        """When each call that restic repeats now failed first."""
        self.words = ""
        self.last_retry = ""

    def take(self, line: bytes) -> None:
        """One line. Raises the `WorkFailed` of a store that does not answer."""
        text = self._scrub(line.decode("utf-8", "backslashreplace"))
        message = read_message(text)
        if message is None:
            self._take_text(text)
        elif message["message_type"] == "exit_error":
            self.words = str(message.get("message", ""))
        elif not self._take_retry(error_words(message)):
            # Only `check` puts the lines about retries into messages of errors as well (restic 0.19).
            self._listener.on_error(message)

    def _take_text(self, text: str) -> None:
        # What a canceled job asked for; restic begins that line with a carriage return.
        if not text.strip() or text.strip().startswith("signal interrupt received"):
            return
        if not self._take_retry(text):
            self._listener.on_log("warning", text)
            self.words = text

    def _take_retry(self, text: str) -> bool:
        """Whether a line tells of a call to the store that is repeated, or was."""
        retry, ended = read_retry(text), read_end_of_retries(text)
        if retry is None and ended is None:
            return False
        self._listener.on_log("warning", text)
        if ended is not None:
            self._since.pop(ended.call, None)
            self.last_retry = ended.reason
        if retry is not None:
            self.last_retry = retry.reason
            self._give_up(retry)
        return True

    def _give_up(self, retry: Retry) -> None:
        now = monotonic()
        waited = now - self._since.setdefault(retry.call, now)
        if retry.opening:
            is_over = is_final(retry.reason) or waited >= self._patience.opening_seconds
        else:
            is_over = is_away(retry.reason) and waited >= self._patience.away_seconds
        if is_over:
            raise error_of_message(retry.reason) or StoreUnreachable(retry.reason)


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
        patience: Patience | None = None,
        more_memory: bool = False,
        cores: int = 0,
    ) -> int:
        """Run to the end; its exit code, one of `good`. Raises the `WorkFailed` behind any other, or `Cancelled`.

        With `more_memory` it may take more of that than it does by itself, to be faster; with `cores` not more than
        so many of them at once.
        """
        if cancel is not None and cancel.is_set():
            raise Cancelled
        listener = listener or Listener()
        # restic repeats parts of requests and addresses in its errors, which end up in the log of the job.
        scrub = Redactor(store.secrets)
        stderr = StderrReader(listener, scrub, patience or Patience(self._settings.open_patience_seconds))
        command = ChildCommand(
            arguments=[*global_arguments(store, self._settings), *arguments],
            environment=environment(store)
            | (gc_variables(self._settings) if more_memory else {})
            | ({"GOMAXPROCS": str(cores)} if cores else {}),
            directory=directory,
            nice=self._settings.nice,
        )
        exit_code = await self._watch(command, listener, stderr=stderr, cancel=cancel)
        if exit_code in good:
            return exit_code
        if cancel is not None and cancel.is_set():
            raise Cancelled
        raise error_of_exit(f"restic {arguments[0]}", exit_code, words=stderr.words, last_retry=stderr.last_retry)

    async def collect(
        self,
        store: StoreLocation,
        arguments: Sequence[str],
        *,
        patience: Patience | None = None,
        cancel: asyncio.Event | None = None,
    ) -> bytes:
        """Run to the end and return all of standard output. Raises like `run`."""
        lines: list[bytes] = []
        listener = Listener(on_output=lines.append)
        await self.run(store, arguments, listener=listener, patience=patience, cancel=cancel)
        return b"\n".join(lines)

    async def _watch(
        self, command: ChildCommand, listener: Listener, *, stderr: StderrReader, cancel: asyncio.Event | None
    ) -> int:
        async with open_child(command) as child:
            helpers = [begin("usage of restic", _sample(child, listener.on_usage))]
            if cancel is not None:
                helpers.append(begin("stop of restic", self._stop_when(cancel, child)))
            try:
                with counted(child.pid):
                    await child.pump(on_output=listener.on_output, on_error=stderr.take)
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
            on_usage(Usage(process.cpu_percent(), process.memory_info().rss, child.pid))
            await asyncio.sleep(_SAMPLE_SECONDS)
