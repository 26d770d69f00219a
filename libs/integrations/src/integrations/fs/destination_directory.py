"""The directory that files are restored to: found, made where it is missing, and held open."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from threading import Lock

from contracts.task_types.restore import Keep

from integrations.fs.exclusions import guarded
from integrations.fs.file_attributes import Attributes
from integrations.fs.nothing_there import NothingThere
from integrations.fs.off_limits import off_limits_of, require_unguarded
from integrations.fs.restored_files import RestoredFiles
from integrations.fs.roots import hold_directory, require_directory, resolve_root
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import (
    DestinationMissing,
    DestinationRefused,
    RootForbidden,
    SourceMissing,
    SourceRefused,
    SourceReplaced,
)
from integrations.sdk.job_log import OnLog
from integrations.sdk.ports.destination import OpenDestination, RestoreRequest


def open_directory(
    configuration: AppConfiguration, restore: RestoreRequest, environment: WorkerEnvironment, *, on_log: OnLog
) -> AbstractContextManager[OpenDestination]:
    """See `Destination.open_destination`. Blocks, until the context is entered."""
    top = resolve_root(configuration.text("root"), environment)
    named = _within(configuration.text("root"), restore.folder)
    root = _resolve(named, environment, top=top, restore=restore)
    if restore.dry_run and not root.exists():
        # The root itself may be made, as by a restore; all above it has to be there.
        _require_parent(top, configuration.text("root"))
        _require_room(root, named)
        return nullcontext(NothingThere(off_limits_of(root, restore.guarded, environment)))
    if not restore.dry_run:
        _make(top, configuration.text("root"))
        _make_below(top, restore.folder, named)
        # Links may have been put into the way of the folder meanwhile.
        root = _resolve(named, environment, top=top, restore=restore)
    _require_destination(root, named)
    is_root = os.geteuid() == 0
    if not restore.dry_run:
        _tell_owners(restore.keep, is_root=is_root, on_log=on_log)
    return _held(root, named, restore, environment, attributes=Attributes(is_root=is_root, keep=restore.keep))


def _tell_owners(keep: Keep, *, is_root: bool, on_log: OnLog) -> None:
    """Say whose the files will be, where not their owners', and what they lose by that."""
    if not is_root:
        on_log("info", "The worker does not run as root: what is restored belongs to the user that it runs as.")
    if keep.mode and not (is_root and keep.owner):
        on_log("info", "Setuid and setgid bits are not given back to files that had another owner or group.")


class Opening:
    """A destination that a thread opens, and that is closed also where nobody waits for it any more."""

    def __init__(self, directory: Callable[[], AbstractContextManager[OpenDestination]]) -> None:
        self._directory = directory
        self._stack, self._lock, self._is_given_up = ExitStack(), Lock(), False

    def open(self) -> OpenDestination:
        """The destination, open until `close`. Blocks: a mount may not answer. Raises as `open_directory`."""
        with ExitStack() as stack:
            destination = stack.enter_context(self._directory())
            with self._lock:
                if not self._is_given_up:
                    self._stack = stack.pop_all()
        return destination

    def close(self) -> None:
        """Close it, now or once it is open."""
        with self._lock:
            self._is_given_up = True
        self._stack.close()


def _within(root: str, folder: str) -> str:
    return f"{root.rstrip('/')}/{folder}" if folder else root


def _resolve(named: str, environment: WorkerEnvironment, *, top: Path, restore: RestoreRequest) -> Path:
    """The real directory that is restored into. Raises `RootForbidden` where that may not be."""
    root = resolve_root(named, environment)
    if not root.is_relative_to(top):
        raise RootForbidden(named, "a link leads from it out of the root of the destination")
    require_unguarded(root, restore.guarded, named=named)
    return root


@contextmanager
def _held(
    root: Path, named: str, restore: RestoreRequest, environment: WorkerEnvironment, *, attributes: Attributes
) -> Iterator[OpenDestination]:
    with ExitStack() as stack:
        try:
            held = stack.enter_context(hold_directory(root, shown=named))
        except (SourceReplaced, SourceMissing):
            raise DestinationRefused(f"Another directory took the place of {named}.") from None
        # Links may have been changed before the directory was held; from here on its inode counts.
        if resolve_root(named, environment) != root:
            raise DestinationRefused(f"Another directory took the place of {named}.")
        files = RestoredFiles(
            held,
            job_id=restore.job_id,
            attempt=restore.attempt,
            off_limits=off_limits_of(root, restore.guarded, environment),
            guarded=guarded(environment).identities,
            attributes=attributes,
        )
        yield stack.enter_context(closing(files))


def _require_parent(root: Path, named: str) -> None:
    if not root.parent.is_dir():
        raise DestinationMissing(f"{named} is not there, nor is the directory that it should be in.")


def _require_room(root: Path, named: str) -> None:
    """Raise what would keep a missing directory from being made, as far as that can be seen before."""
    above = next(each for each in root.parents if each.exists())
    if os.statvfs(above).f_flag & os.ST_RDONLY:
        raise _unmade(named, errno.EROFS)
    if not os.access(above, os.W_OK | os.X_OK, effective_ids=True):
        raise _unmade(named, errno.EACCES)


def _unmade(named: str, reason: int | None) -> DestinationRefused:
    return DestinationRefused(f"{named} cannot be made: {os.strerror(reason or 0).lower()}.")


def _make_below(top: Path, folder: str, named: str) -> None:
    """The folder that is restored into, with those above it."""
    here = top
    for name in filter(None, folder.split("/")):
        here /= name
        try:
            here.mkdir(mode=0o755)
        except FileExistsError:
            continue
        except OSError as error:
            raise _unmade(named, error.errno) from None


def _make(root: Path, named: str) -> None:
    try:
        # Without its parents: a root whose parent is missing is more likely a disk that is not mounted.
        root.mkdir(mode=0o755)
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise DestinationMissing(f"{named} is not there, nor is the directory that it should be in.") from None
    except OSError as error:
        raise _unmade(named, error.errno) from None


def _require_destination(root: Path, named: str) -> None:
    try:
        require_directory(root, shown=named)
    except SourceMissing as error:
        raise DestinationMissing(error.detail) from None
    except SourceRefused as error:
        raise DestinationRefused(error.detail) from None
