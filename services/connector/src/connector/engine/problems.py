"""What could not be read or written, as a job's log and its result have it."""

from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import UnreadablePath

from connector.engine.port import PROBLEMS_MAX

_LINES_MAX = 1000
_LINE_CHARACTERS = 1500
_BETWEEN = ", "
_NAMED_MAX = 5


class Problems:
    """Paths that could not be read or written: all counted and logged, the first ones kept.

    The first ones have a line each; of more, one line names many.
    """

    def __init__(self, on_log: OnLog) -> None:
        self._on_log = on_log
        self._waiting: list[str] = []
        self.kept: list[UnreadablePath] = []
        self.count = 0

    def add(self, problem: UnreadablePath) -> None:
        """Take note of one."""
        self.count += 1
        if self.count <= PROBLEMS_MAX:
            self.kept.append(problem)
        if self.count <= _LINES_MAX:
            self._on_log("error", problem.as_line)
            return
        words = problem.in_words
        if len(_BETWEEN.join([*self._waiting, words])) > _LINE_CHARACTERS:
            self.flush()
        self._waiting.append(words)

    def flush(self) -> None:
        """Log what waits for others to share a line with."""
        if self._waiting:
            self._on_log("error", _BETWEEN.join(self._waiting))
            self._waiting = []

    def in_words(self) -> str:
        """The first few, empty when there are none."""
        named = ", ".join(problem.in_words for problem in self.kept[:_NAMED_MAX])
        return f"{named} and {self.count - _NAMED_MAX} more" if self.count > _NAMED_MAX else named
