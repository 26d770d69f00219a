"""What all task types share: the kinds of parties, the base of results, sizes in words."""

from dataclasses import dataclass
from typing import Literal

from contracts.messages.assignment import AppKind
from contracts.values import Value

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

TaskType = Literal["backup", "restore", "sync", "check", "prune", "rm", "maintenance"]
"""All types that exist; `contracts.tasks.TASK_KINDS` has those that can be run."""


@dataclass(frozen=True)
class TaskKind:
    """What a type of task is about."""

    origin: AppKind
    target: AppKind | None
    """None: a task of this type has no target."""
    other_target: AppKind | None = None
    """What it may go to as well."""
    options: type[Value] = Value
    """Those of `TaskOptions` that say something about a task of this type."""
    required_options: tuple[str, ...] = ()
    """Those that a task of this type cannot be run without."""
    one_of_options: tuple[str, ...] = ()
    """Those of which it cannot be run without one at least."""
    deletes: bool = False
    """Whether it deletes restore points: it claims them first, and stands in the audit log."""
    frees: bool = False
    """Whether it frees unused data when it is done with the rest."""
    hooks_of: Literal["origin", "target"] | None = None
    """Whose hooks a task has that names none itself; None: it has none."""


@dataclass(frozen=True)
class Processed:
    """What a job handled from its begin to its end."""

    files: int
    bytes: int
    errors: int | None = None
    """What could not be handled; None where the result does not tell."""


class Result(Value):
    """Base of what jobs come to."""

    def in_words(self) -> str:
        """In one line of the job's log; empty where there is nothing to say."""
        return ""

    def processed(self) -> Processed | None:
        """How many files and bytes the job handled; None where the result does not tell."""
        return None


def bytes_in_words(size: int) -> str:
    """A size for a person: `512 B`, `1.5 GiB`."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{size / 1024**power:.1f} {_UNITS[power]}" if power else f"{size} B"
