"""Which directories may be a root: those in the allowed ones, and none of Cairn's own, by whatever name."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integrations.fs.mounts import Mounts
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import (
    ConfigurationUnusable,
    RootForbidden,
    RootUnresolvable,
    SourceMissing,
    SourceRefused,
    SourceReplaced,
)

_REPLACED = frozenset({errno.ELOOP, errno.ENOENT, errno.ENOTDIR})


def resolve_root(root: str, environment: WorkerEnvironment) -> Path:
    """The real directory behind a root, which need not be there yet.

    All links are followed first, in the root as in what it is compared with. Raises `ConfigurationUnusable`,
    `RootUnresolvable`, or `RootForbidden`: outside what is allowed, Cairn's own, or in what the kernel makes up.
    """
    if not root.startswith("/") or "\0" in root:
        raise ConfigurationUnusable("fields.root", "The root must be an absolute path.")
    real = _followed(root)
    if not any(real.is_relative_to(_real(allowed)) for allowed in environment.allowed_roots):
        raise RootForbidden(root, "it is not in a directory that workers may touch")
    mounts = Mounts.read()
    if any(is_within(real, own, mounts) for own in own_places(environment)):
        raise RootForbidden(root, "it belongs to Cairn's own state")
    mount = mounts.at(real)
    if mount is not None and mount.is_pseudo:
        why = f"it lies in a file system of the type {mount.type}, which the kernel makes up and which holds no files"
        raise RootForbidden(root, why)
    return real


def require_directory(root: Path, *, shown: str) -> None:
    """Raises `SourceMissing` or `SourceRefused` unless this is a directory that may be entered."""
    try:
        os.stat(f"{root}/.")  # noqa: PTH116 - a Path would drop the dot, which asks for the right to enter.
    except FileNotFoundError:
        raise SourceMissing(f"{shown} does not exist.") from None
    except NotADirectoryError:
        raise SourceMissing(f"{shown} is not a directory.") from None
    except PermissionError as error:
        raise SourceRefused(f"{shown} may not be entered: {error.strerror}.") from None
    except OSError as error:
        raise SourceMissing(f"{shown} cannot be reached: {error.strerror}.") from None


@contextmanager
def hold_directory(root: Path, *, shown: str) -> Iterator[int]:
    """A descriptor of a directory, open until the context is left; so long no other one has its inode.

    Raises `SourceReplaced` where the path has a link in it, or leads to another directory or nowhere, by now, and
    `SourceMissing` where it cannot be opened for another reason.
    """
    try:
        held = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _REPLACED:
            raise SourceReplaced(shown) from None
        raise SourceMissing(f"{shown} cannot be reached: {error.strerror}.") from None
    try:
        # O_NOFOLLOW looks at the last part of the path only: a directory above may be a link by now.
        if _real(root) != root:
            raise SourceReplaced(shown)
        yield held
    finally:
        os.close(held)


def own_places(environment: WorkerEnvironment) -> tuple[Path, ...]:
    """Cairn's own directories and files, all links followed; they need not be there."""
    return tuple(map(_real, (*environment.state_dirs, *environment.key_files, environment.work_dir)))


def is_within(real: Path, own: Path, mounts: Mounts) -> bool:
    """Whether a directory is, or lies in, another one, by whatever name it is reached."""
    # By path, by inode and by what is mounted where: each of them misses names that another finds.
    if real.is_relative_to(own) or any(_is_same(each, own) for each in (real, *real.parents)):
        return True
    place = mounts.place(real)
    return place is not None and any(place.is_in(each) for each in mounts.places(own))


def _is_same(one: Path, other: Path) -> bool:
    """Also by another name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _followed(root: str) -> Path:
    try:
        return _real(Path(root))
    except OSError as error:
        raise RootUnresolvable(root, error.strerror or type(error).__name__) from None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
