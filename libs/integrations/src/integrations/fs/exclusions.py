"""What a backup of a directory leaves out on purpose: Cairn's own state by all its names, what the kernel makes up."""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integrations.fs.mounts import Mounts
from integrations.fs.roots import own_places
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.locations import FileIdentity
from integrations.sdk.text import one_line, shown_path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LEVELS = 2
"""How far below Cairn's own directories files are looked at for other names; keys and passwords lie no deeper."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Paths below a root; in no certain order."""

    own: tuple[Path, ...] = ()
    """Cairn's own directories and files."""
    pseudo: tuple[tuple[Path, str], ...] = ()
    """Directories where something that the kernel makes up is mounted, each with the type of file system."""
    pseudo_files: tuple[tuple[Path, str], ...] = ()
    """Files of such a file system that are mounted by themselves."""

    @property
    def whole(self) -> tuple[Path, ...]:
        """What is left out with its name; of `pseudo` the directory itself is kept."""
        return (*self.own, *(path for path, _ in self.pseudo_files))

    def in_words(self, root: Path) -> Iterator[str]:
        """A line for each, with its path within the root."""
        for path in self.own:
            yield f"/{_shown(path, root)} is left out on purpose: it belongs to Cairn's own state"
        for path, kind in self.pseudo:
            yield (
                f"/{_shown(path, root)} is left out on purpose, with all that is mounted below it: "
                f"a file system of the type {kind} is made up by the kernel"
            )
        for path, kind in self.pseudo_files:
            yield f"/{_shown(path, root)} is left out on purpose: it is of the type {kind}, made up by the kernel"


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """Cairn's own by device and inode, to be known again under names that no mount explains."""

    identities: frozenset[FileIdentity]
    is_linked: bool
    """Whether a file among them has more names than one."""
    looked_at: int
    """When, in nanoseconds since 1970."""


def left_out_of(root: Path, environment: WorkerEnvironment, mounts: Mounts) -> LeftOut:
    """What must not be read of a directory, as far as paths and mounts tell."""
    own = {name for each in own_places(environment) for name in names_in(root, each, mounts)}
    pseudo = sorted({(each.point, each.type) for each in mounts.below(root) if each.is_pseudo and mounts.shows(each)})
    return LeftOut(
        own=tuple(sorted(own)),
        pseudo=tuple(each for each in pseudo if each[0].is_dir()),
        pseudo_files=tuple(each for each in pseudo if each[0].is_file()),
    )


def guarded(environment: WorkerEnvironment) -> Guarded:
    """The identities of Cairn's own directories, of those directly in them, and of private files with other names."""
    looked_at = time.time_ns()
    found = {(each.st_dev, each.st_ino): each for own in own_places(environment) for each in _stats(own, _LEVELS)}
    is_linked = any(stat.S_ISREG(each.st_mode) for each in found.values())
    return Guarded(identities=frozenset(found), is_linked=is_linked, looked_at=looked_at)


def is_still_guarded(facts: os.stat_result, *, environment: WorkerEnvironment, since: int) -> bool:
    """Whether something with an identity that was guarded is Cairn's own, and not another one with its inode.

    An older file may be another name of a key that was removed: that one stays guarded.
    """
    is_older = stat.S_ISREG(facts.st_mode) and facts.st_mtime_ns < since
    return is_older or is_surely_own(facts, environment=environment)


def is_surely_own(facts: os.stat_result, *, environment: WorkerEnvironment) -> bool:
    """Whether something is Cairn's own by now, whatever it was before."""
    return (facts.st_dev, facts.st_ino) in guarded(environment).identities


def _shown(path: Path, root: Path) -> str:
    return one_line(shown_path(str(path.relative_to(root))))


def names_in(root: Path, own: Path, mounts: Mounts) -> Iterator[Path]:
    """All paths below a root that lead to a directory or a file, also through what is mounted there."""
    if own.is_relative_to(root):
        yield own
    for place in mounts.places(own):
        for name in mounts.names(place):
            if name != root and name.is_relative_to(root) and not name.is_relative_to(own):
                # Another mount may lie over this name: then it shows something else, which is not left out.
                visible = mounts.place(name)
                if visible is not None and visible.is_in(place):
                    yield name


def _stats(own: Path, levels: int) -> Iterator[os.stat_result]:
    """A file, or a directory with those directly in it, and private files down to a level that have other names."""
    try:
        facts = own.lstat()
        inside = list(own.iterdir()) if stat.S_ISDIR(facts.st_mode) and levels else []
    # Gone by now, or not for this user to see: then a backup by the same user does not read it either.
    except OSError:
        return
    is_secret = levels == _LEVELS or not facts.st_mode & _OTHERS
    if inside or (stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1 and is_secret):
        yield facts
    for each in inside:
        yield from _stats(each, levels - 1)
