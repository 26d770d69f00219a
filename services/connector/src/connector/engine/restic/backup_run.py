"""One backup by restic, with a look at what restic leaves out without a word."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from contracts.errors import CairnError
from contracts.messages.connector.stores import Compression
from integrations.sdk.errors import Cancelled, WorkFailed
from integrations.sdk.job_log import in_few_lines
from integrations.sdk.locations import UnreadablePath
from integrations.sdk.text import one_line, shown_path

from connector.engine.errors import (
    EngineFailed,
    RootUnreadable,
    SourceEmpty,
    SourceIgnored,
    SourceUnreadable,
    StateExposed,
)
from connector.engine.port import BackupOutcome
from connector.engine.restic import commands, empty_snapshot
from connector.engine.restic.backup_call import BackupCall, is_bare, named, patterns_of, require_in_place, without
from connector.engine.restic.compression_levels import at_a_known_level
from connector.engine.restic.exit_codes import INCOMPLETE
from connector.engine.restic.output_parser import BackupObserver
from connector.engine.restic.runner import Runner
from connector.engine.restic.source_scan import rejecter
from connector.engine.restic.source_scanner import Surveyor

_RUNS_MAX = 3
_WITH_PROBLEMS = frozenset({0, INCOMPLETE})
_LOST = "its directory lists it, but there is no such file"
_SOCKET = "a socket, which no restore point can hold"
_UNNAMED = UnreadablePath("/", "something below it could not be read, and restic did not say what")


async def run_backup(runner: Runner, call: BackupCall) -> BackupOutcome:
    """See `Engine.backup`. Begins anew where something that is guarded turns up under another name meanwhile."""
    for _ in range(_RUNS_MAX):
        try:
            return await _Run(runner, call, await asyncio.to_thread(patterns_of, call)).run()
        except _GuardedMet as met:
            call = await asyncio.to_thread(without, call, met.paths)
    raise StateExposed


class _GuardedMet(Exception):
    """The source shows what must not be in a restore point."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__()
        self.paths = paths


class _Run:
    """One run of restic and the survey beside it."""

    def __init__(self, runner: Runner, call: BackupCall, patterns: Sequence[str]) -> None:
        self._runner = runner
        self._call = call
        self._patterns = patterns
        self._is_left_out = _leaving_out(str(call.source.directory), patterns)
        self._stop = asyncio.Event()
        self._observer = BackupObserver(call.source, on_progress=call.on_progress, on_log=call.on_log)
        one_file_system = call.options.one_file_system
        self._surveyor = Surveyor(
            call.source, patterns, one_file_system=one_file_system, nice=call.nice, scratch=call.scratch
        )

    async def run(self) -> BackupOutcome:
        """The restore point. Raises `_GuardedMet`, with nothing left in the store, and what `Engine.backup` raises."""
        try:
            async with self._surveying() as survey:
                if self._call.source.guarded_first:
                    await self._settle(survey)
                is_saved = await self._save()
                await self._settle(survey)
            await asyncio.to_thread(require_in_place, self._call.source)
        except (CairnError, OSError):
            self._observer.problems.flush()
            await self._take_back()
            if self._surveyor.found["guarded"] and not self._call.cancel.is_set():
                raise _GuardedMet(self._surveyor.found["guarded"]) from None
            raise
        self._note_findings()
        return self._result() if is_saved else await self._nothing()

    @asynccontextmanager
    async def _surveying(self) -> AsyncIterator["asyncio.Task[None]"]:
        survey = asyncio.create_task(self._survey())
        passing = asyncio.create_task(self._pass_cancel_on())
        try:
            yield survey
        finally:
            for task in (survey, passing):
                task.cancel()
            await asyncio.gather(survey, passing, return_exceptions=True)

    async def _survey(self) -> None:
        if self._call.source.is_surveyed:
            await self._surveyor.run(on_guarded=self._stop.set)

    async def _pass_cancel_on(self) -> None:
        await self._call.cancel.wait()
        self._stop.set()

    async def _save(self) -> bool:
        """Whether restic made a snapshot; if not, there was nothing for one."""
        try:
            ending = await at_a_known_level(self._run_restic, self._call.options.compression, self._call.on_log)
        except SourceEmpty:
            return False
        except RootUnreadable as error:
            raise RootUnreadable(error.why, source=named(self._call.source)) from None
        if ending == INCOMPLETE and not self._observer.heard:
            self._observer.problems.add(_UNNAMED)
        return True

    async def _run_restic(self, level: Compression) -> int:
        call, options = self._call, replace(self._call.options, compression=level)
        return await self._runner.run(
            call.store,
            commands.backup(call.source, options, self._patterns),
            listener=self._observer.listener,
            directory=call.source.read_path,
            cancel=self._stop,
            good=_WITH_PROBLEMS,
            more_memory=options.more_memory,
            cores=options.cores,
        )

    async def _settle(self, survey: "asyncio.Task[None]") -> None:
        """Wait for the survey. Raises `Cancelled` when the job is, or something guarded was met."""
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((survey, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._stop.is_set():
            raise Cancelled
        survey.result()

    async def _take_back(self) -> None:
        """Forget the snapshot, if there is one already."""
        if self._observer.summary is not None:
            snapshot_id = self._observer.summary.snapshot_id
            try:
                await self._runner.run(self._call.store, commands.forget(self._call.store, [snapshot_id]))
            except WorkFailed as error:
                self._call.on_log("warning", f"The snapshot {snapshot_id} is still in the store. {error.detail}")

    async def _nothing(self) -> BackupOutcome:
        """What comes of a source of which nothing was saved: an error, or an empty restore point where that may be."""
        if self._observer.problems.count:
            raise SourceUnreadable(self._observer.problems.in_words())
        if self._call.options.allow_empty:
            call = self._call
            made = await empty_snapshot.make(
                self._runner, call.store, call.source, options=call.options, cancel=call.cancel
            )
            return replace(made, is_left_out=self._is_left_out)
        raise SourceEmpty if await asyncio.to_thread(is_bare, self._call.source) else SourceIgnored

    def _result(self) -> BackupOutcome:
        summary, problems = self._observer.summary, self._observer.problems
        if summary is None:
            raise EngineFailed("restic backup", "it named no snapshot")
        return BackupOutcome(
            snapshot_id=summary.snapshot_id,
            summary=summary,
            problems=tuple(problems.kept),
            problem_count=problems.count + self._surveyor.unnamed,
            is_left_out=self._is_left_out,
            listed=self._surveyor.listing,
        )

    def _note_findings(self) -> None:
        for path in sorted(self._surveyor.found["socket"]):
            self._observer.problems.add(UnreadablePath(shown_path(path), _SOCKET))
        named = {problem.path for problem in self._observer.problems.kept}
        for path in sorted({shown_path(each) for each in self._surveyor.found["lost"]} - named):
            self._observer.problems.add(UnreadablePath(path, _LOST))
        self._observer.problems.flush()
        for line in remarks_on(self._surveyor):
            self._call.on_log("info", line)


def remarks_on(surveyor: Surveyor) -> Iterator[str]:
    """Lines about what is missing in a restore point and is no problem: all of it is counted."""
    removed = (one_line(shown_path(path)) for path in sorted(surveyor.found["removed"]))
    yield from in_few_lines("Removed while the source was read", removed)
    if more := surveyor.beyond["removed"]:
        yield f"{more} more were removed while the source was read"
    for path in sorted(surveyor.found["mount"]):
        yield one_line(f"{shown_path(path)} is left out on purpose: it is on another file system")
    if more := surveyor.beyond["mount"]:
        yield f"{more} more are left out on purpose: they are on other file systems"


def _leaving_out(root: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """As restic judges: nothing is taken in again below a directory that is left out."""
    rejects = rejecter(list(patterns))

    def is_left_out(path: str) -> bool:
        above = [path[:at] for at, sign in enumerate(path) if sign == "/" and at]
        return any(rejects(root.rstrip("/") + each) for each in (*above, path))

    return is_left_out
