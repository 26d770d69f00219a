"""What sources tell of their files, in the ways that matter to a comparison."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from connector.engine.port import PROBLEMS_MAX
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import SavedFile, UnreadablePath

MANY = 2 * PROBLEMS_MAX
NAMED = UnreadablePath("/a", "permission denied")


class Doubtful:
    """See `SourceComparison`: other figures were listed."""

    def __init__(self, *, is_right: bool = False) -> None:
        self.is_right = is_right

    def adds_up(self, *, files: int, size_bytes: int) -> bool:
        return self.is_right

    def parent_in(self, store_id: str) -> str | None:
        return None

    def keep(self, store_id: str, snapshot_id: str) -> None:
        """Nothing is kept."""

    def take_in(self, saved: Iterable[SavedFile]) -> None:
        list(saved)

    async def differences(
        self, named: Sequence[UnreadablePath], *, is_left_out: Callable[[str], bool], on_log: Any
    ) -> AsyncIterator[UnreadablePath]:
        yield UnreadablePath("/b", "has 0 bytes", "object_unreadable")

    async def explain(self, problems: Sequence[UnreadablePath]) -> tuple[UnreadablePath, ...]:
        return tuple(problems)


class BreakingOff(Doubtful):
    """Tells many differences, and then the source is gone."""

    def take_in(self, saved: Iterable[SavedFile]) -> None:
        """What is in the restore point does not matter here."""

    async def differences(self, *_: Any, **__: Any) -> AsyncIterator[UnreadablePath]:
        for number in range(MANY):
            yield UnreadablePath(f"/{number}", "has 0 bytes", "object_unreadable")
        raise ConnectionError("the source is gone")


class Stopping(BreakingOff):
    """The run is cancelled while it asks."""

    async def differences(self, *_: Any, **__: Any) -> AsyncIterator[UnreadablePath]:
        yield NAMED
        raise Cancelled
