"""What a restore must not write to, although its destination is around it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from integrations.fs.exclusions import left_out_of, names_in
from integrations.fs.mounts import Mounts
from integrations.fs.roots import is_within
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import RootForbidden
from integrations.sdk.ports.destination import GuardedPlace

_OWN = "it belongs to Cairn's own state"
_LINKS_MAX = 40
"""Source: path_resolution(7), which follows no more of them."""


def require_unguarded(root: Path, guarded: Sequence[GuardedPlace], *, named: str) -> None:
    """Raise `RootForbidden` where a real directory is, or lies in, a guarded place, by whatever name."""
    mounts = Mounts.read()
    for each in guarded:
        if each.path is not None and is_within(root, _real(each.path), mounts):
            raise RootForbidden(named, each.why)


def off_limits_of(root: Path, guarded: Sequence[GuardedPlace], environment: WorkerEnvironment) -> dict[bytes, str]:
    """What must not be written below a root, by its path in it, with the reason."""
    mounts = Mounts.read()
    left_out = left_out_of(root, environment, mounts)
    # The first that guards a path names it: what is restored from comes before other stores in the same place.
    reasons = {path: each.why for each in reversed(guarded) for path in _names_in(root, each, mounts)}
    reasons |= dict.fromkeys(left_out.own, _OWN)
    for path, kind in (*left_out.pseudo, *left_out.pseudo_files):
        reasons[path] = f"it lies in a file system of the type {kind}, which the kernel makes up"
    return {os.fsencode(path.relative_to(root)): reason for path, reason in reasons.items()}


def _names_in(root: Path, guarded: GuardedPlace, mounts: Mounts) -> Iterator[Path]:
    """The names below a root of a guarded place, and the links that lead to it: another link would move it."""
    if guarded.path is not None:
        yield from names_in(root, _real(guarded.path), mounts)
    for path in (guarded.path, guarded.named_path):
        for link in _links_on(path) if path is not None else ():
            yield from names_in(root, link, mounts)


def _links_on(path: Path) -> Iterator[Path]:
    """The links that a path goes through, by where they really are."""
    here, ahead, left = Path("/"), list(path.absolute().parts[1:]), _LINKS_MAX
    while ahead:
        name = ahead.pop(0)
        here = here.parent if name == ".." else here / name
        target = _target(here)
        if target is not None and left:
            yield here
            here, left = Path("/") if target.is_absolute() else here.parent, left - 1
            ahead = [*target.relative_to(target.anchor).parts, *ahead]


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None  # It is no link, or not there.


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
