"""Whether an engine gets on."""

from typing import NamedTuple

LEAST_BYTES = 64 << 10
"""So much an engine reads or writes when it works; one that waits for an answer that never comes stays below."""
LEAST_CPU_SECONDS = 1.0


class Signs(NamedTuple):
    """What can be seen of a job from outside."""

    figures: tuple[object, ...] = ()
    """Its phase, and how far it says that it is."""
    lines: int = 0
    """Of its log."""
    moved_bytes: int | None = None
    """What its processes have read and written; None where the system does not tell."""
    cpu_seconds: float = 0.0


def gets_on(before: Signs, now: Signs) -> bool:
    """Whether something happened between two moments: figures, lines of the log, or bytes read and written."""
    if (before.figures, before.lines) != (now.figures, now.lines):
        return True
    if before.moved_bytes is None or now.moved_bytes is None:
        # An engine that reports no figures, such as a check, is known by what it computes.
        return now.cpu_seconds - before.cpu_seconds >= LEAST_CPU_SECONDS
    return now.moved_bytes - before.moved_bytes >= LEAST_BYTES
