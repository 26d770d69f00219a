"""One run of restic that deletes: how far it is, what it says, and what the store does not delete."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence

from integrations.sdk.job_log import Level, OnLog
from integrations.sdk.locations import StoreLocation

from connector.engine.errors import EngineFailed, StoreRefused, StoreUnreachable
from connector.engine.port import CleanUpOutcome, OnProgress, Progress
from connector.engine.restic.exit_codes import INCOMPLETE, is_away
from connector.engine.restic.output_parser import with_usage
from connector.engine.restic.runner import Listener, Runner, Usage

_ADVANCED = re.compile(r"\[[\d:]+\] +(?P<percent>[\d.]+)% ")
_SIZE = re.compile(r"(?P<what>total prune|remaining): +\d+ blobs / (?P<amount>[\d.]+) (?P<unit>[KMGTPE]?i?B)")
_FAILED = re.compile(r"Remove\(<(?P<kind>\w+)/(?P<name>[0-9a-f]+)>\) failed: (?P<why>.*)", re.DOTALL)
_NOT_REMOVED = re.compile(r"unable to remove (?P<kind>\w+)/(?P<id>[0-9a-f]{64}) from the repository")
_IGNORED = re.compile(r'Ignoring "(?P<id>[0-9a-f]{64})": (?P<why>.*)', re.DOTALL)
_CORRECTED = re.compile(
    r"(removing invalid index|adding pack file to index|reindexing pack file|removing not found pack file) [0-9a-f]+"
)
_UNLOCKING = "error while unlocking"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STAGES = (
    ("finding data", 0.0, 0.3),
    ("collecting packs", 0.3, 0.4),
    ("reading pack files", 0.1, 0.8),
    ("repacking packs", 0.4, 0.8),
    ("rebuilding index", 0.8, 0.9),
    ("removing", 0.9, 1.0),
    ("deleting", 0.9, 1.0),
)
"""How the lines begin that restic opens its stages with, and the part of the work that each is."""
_UNTOLD = ("[", "done", "loading ", "searching ", "getting ")
# restic ends like this where a store refuses to delete something that has to go before the rest.
_ENDS_OF_REFUSALS = (EngineFailed, StoreRefused)


class RemovalObserver:
    """Follows a run that deletes."""

    def __init__(self, *, on_log: OnLog, on_progress: OnProgress = lambda _: None) -> None:
        self._on_log = on_log
        self._on_progress = on_progress
        self._usage = Usage()
        self._stage = (0.0, 0.0)
        self._fraction = 0.0
        self._bytes: dict[str, int] = {}
        self.kept: dict[str, set[str]] = defaultdict(set)
        """What the store did not delete, by restic's word for the kind of file; names may be shortened."""
        self.why = ""
        """Why not, in the store's words; the first ones."""
        self.unreadable: dict[str, str] = {}
        """Snapshots that restic passed over, and why; also those that are not there."""
        self.outage = ""
        """Why something was not deleted by a store that was away."""
        self.index_was_wrong = False
        """Whether `repair index` found it so; it writes the index anew in any case."""
        self.listener = Listener(on_output=self._on_output, on_usage=self._on_usage, on_log=self._on_text)

    def outcome(self) -> CleanUpOutcome:
        """What became of data that is not needed."""
        kept = sum(len(names) for kind, names in self.kept.items() if kind != "lock")
        return CleanUpOutcome(
            unused_bytes=self._bytes.get("total prune", 0),
            remaining_bytes=self._bytes.get("remaining", 0),
            index_was_wrong=self.index_was_wrong,
            kept_files=kept,
            why=self.why if kept else "",
        )

    def _on_output(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        if found := _ADVANCED.match(text):
            begin, end = self._stage
            self._fraction = max(self._fraction, begin + (end - begin) * min(float(found["percent"]) / 100, 1))
            self._report()
        elif text and not text.startswith(_UNTOLD):
            self._take_words(text)

    def _take_words(self, text: str) -> None:
        self._stage = next(((begin, end) for sign, begin, end in _STAGES if text.startswith(sign)), self._stage)
        if found := _SIZE.match(text):
            self._bytes[found["what"]] = round(float(found["amount"]) * 1024 ** _UNITS.index(found["unit"]))
        self._on_log("info", " ".join(text.split()))

    def _on_usage(self, usage: Usage) -> None:
        self._usage = usage
        self._report()

    def _report(self) -> None:
        self._on_progress(with_usage(Progress(fraction=self._fraction), self._usage))

    def _on_text(self, level: Level, text: str) -> None:
        self.index_was_wrong = self.index_was_wrong or _CORRECTED.match(text) is not None
        if found := _NOT_REMOVED.match(text):
            # The same file has been named with a short name before.
            self.kept[found["kind"]] = {each for each in self.kept[found["kind"]] if not found["id"].startswith(each)}
            self.kept[found["kind"]].add(found["id"])
        elif found := _FAILED.match(text):
            self._take_failure(found)
        elif found := _IGNORED.match(text):
            self.unreadable[found["id"]] = f"it cannot be read: {found['why'].rpartition(': ')[2]}"
        elif not text.startswith(_UNLOCKING):
            self._on_log(level, text)

    def _take_failure(self, found: re.Match[str]) -> None:
        if is_away(found["why"]):
            self.outage = found["why"]
            return
        known = self.kept[found["kind"]]
        if not any(each.startswith(found["name"]) for each in known):
            known.add(found["name"])
        self.why = self.why or found["why"].rpartition(": ")[2]


async def run_removal(
    runner: Runner,
    store: StoreLocation,
    arguments: Sequence[str],
    *,
    observer: RemovalObserver,
    cancel: asyncio.Event,
) -> None:
    """Run it to its end; that a store does not delete something is an end. Raises like `Runner.run`."""
    try:
        good = frozenset({0, INCOMPLETE})
        await runner.run(store, arguments, listener=observer.listener, cancel=cancel, good=good)
    except _ENDS_OF_REFUSALS:
        if not observer.outcome().kept_files:
            raise
    if observer.outage:
        raise StoreUnreachable(observer.outage)
