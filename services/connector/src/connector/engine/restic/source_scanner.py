"""A walk through a source beside restic's own, in a process of its own: it finds what restic does not tell."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from chassis.subprocesses.children import ChildCommand, open_child
from integrations.sdk.locations import SourceTree

from connector.engine.errors import EngineFailed, EngineKilled
from connector.engine.restic import source_scan
from connector.engine.source_listing import SourceListing, UnnamedFile

_KINDS = ("socket", "guarded", "mount", "removed", "lost")
NAMED_MAX = 100_000


class Surveyor:
    """What one walk found. Paths are within the source, `/` being its root."""

    def __init__(
        self,
        source: SourceTree,
        patterns: Sequence[str],
        *,
        one_file_system: bool,
        nice: int,
        scratch: Path,
        named_max: int = NAMED_MAX,
    ) -> None:
        self._source = source
        self._patterns = patterns
        self._one_file_system = one_file_system
        self._nice = nice
        self._named_max = named_max
        self._packed = UnnamedFile(scratch)
        self.listing: SourceListing | None = None
        """What should be in the restore point, once the walk has ended; None where there was no room to keep it."""
        self._complaint = ""
        self.found: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        self.beyond = dict.fromkeys(_KINDS, 0)
        """How much there is of each kind beyond what is named."""

    @property
    def unnamed(self) -> int:
        """What no restore point can hold, beyond what is named."""
        return self.beyond["socket"] + self.beyond["lost"]

    async def run(self, *, on_guarded: Callable[[], None]) -> None:
        """Walk to the end, and call back at the first thing that is guarded. Raises `EngineKilled`, `EngineFailed`."""

        def take(line: bytes) -> None:
            if self.take_in(line) == "guarded":
                on_guarded()

        async with open_child(self._command(self._packed.descriptor)) as child:
            await child.pump(on_output=take, on_error=self._hear)
            ending = await child.wait()
        if ending < 0:
            raise EngineKilled("The survey of the source", f"killed by signal {-ending}")
        if ending:
            raise EngineFailed("The survey of the source", self._complaint)

    def take_in(self, line: bytes) -> str:
        """Take note of what the walk tells in a line; its kind."""
        found = json.loads(line)
        kind: str = found["kind"]
        if kind == "listed":
            self.listing = SourceListing(int(found["path"]), self._packed)
        elif len(self.found[kind]) < self._named_max:
            self.found[kind].append(found["path"])
        else:
            self.beyond[kind] += 1
        return kind

    def _command(self, listing: int) -> ChildCommand:
        task = {
            "root": str(self._source.directory),
            "guarded": sorted(self._source.guarded),
            "one_file_system": self._one_file_system,
            "listing": listing,
        }
        return ChildCommand(
            arguments=[sys.executable, "-I", "-S", source_scan.__file__, json.dumps(task), *self._patterns],
            directory=self._source.read_path,
            nice=self._nice,
            descriptors=(listing,),
        )

    def _hear(self, line: bytes) -> None:
        self._complaint = line.decode("utf-8", "backslashreplace")
