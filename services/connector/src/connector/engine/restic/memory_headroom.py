"""How much memory there is to be had."""

from collections.abc import Iterator
from pathlib import Path

import psutil

_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_LIMITS = ("memory.max", "memory.limit_in_bytes")


def available_bytes(*, groups: Path = _GROUPS, own: Path = _OWN_GROUPS) -> int:
    """Memory that may still be taken: what the host has available, and no more than a control group that this process
    is in may take in all (of a container, say; versions 1 and 2). Source: the kernel's "Control Group" documents.
    """
    available: int = psutil.virtual_memory().available
    return min([available, *_limits(groups, own)])


def _limits(groups: Path, own: Path) -> Iterator[int]:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # In a container the path may be the host's: then the group at the top is its own.
        top = groups / controllers
        group = top / path.lstrip("/")
        for directory in (group, *group.parents[: len(group.relative_to(top).parts)]):
            yield from _limits_in(directory)


def _limits_in(group: Path) -> Iterator[int]:
    for name in _LIMITS:
        try:
            yield int((group / name).read_text())
        except (OSError, ValueError):  # It is not there, or `max`.
            continue
