"""Lines for the log of a job."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

Level = Literal["info", "warning", "error"]
OnLog = Callable[[Level, str], None]
"""Called with each line for the job's log, scrubbed of secrets. Must not block."""

_LINE_CHARACTERS = 1500
_BETWEEN = ", "


def in_few_lines(what: str, words: Iterable[str]) -> Iterator[str]:
    """`what` and many words a line, as many lines as that needs."""
    waiting: list[str] = []
    for each in words:
        # A word that is longer than a line has a line to itself and is not cut: it may be a path.
        if waiting and len(_BETWEEN.join([*waiting, each])) > _LINE_CHARACTERS:
            yield f"{what}: {_BETWEEN.join(waiting)}"
            waiting = []
        waiting.append(each)
    if waiting:
        yield f"{what}: {_BETWEEN.join(waiting)}"
