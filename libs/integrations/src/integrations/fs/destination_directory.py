"""The directory that files are restored to: found, made where it is missing, and held open."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from integrations.fs.exclusions import guarded, left_out_of, names_in
from integrations.fs.file_attributes import Attributes
from integrations.fs.mounts import Mounts
from integrations.fs.restored_files import RestoredFiles
from integrations.fs.roots import hold_directory, is_within, require_directory, resolve_root
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
from integrations.sdk.ports.destination import RestoreRequest

_OWN = "it belongs to Cairn's own state"
_STORE = "it belongs to the store that is restored from"


def open_directory(
    configuration: AppConfiguration, restore: RestoreRequest, environment: WorkerEnvironment, *, on_log: OnLog
) -> AbstractContextManager[RestoredFiles]:
    """See `Destination.open_destination`. Blocks, until the context is entered."""
    named = configuration.text("root")
    root = resolve_root(named, environment)
    if restore.store_path is not None and is_within(root, _real(restore.store_path), Mounts.read()):
        raise RootForbidden(named, _STORE)
    _make(root, named)
    is_root = os.geteuid() == 0
    if not is_root:
        on_log("info", "The worker does not run as root: what is restored belongs to the user that it runs as.")
    return _held(root, named, restore, environment, attributes=Attributes(is_root=is_root))


@contextmanager
def _held(
    root: Path, named: str, restore: RestoreRequest, environment: WorkerEnvironment, *, attributes: Attributes
) -> Iterator[RestoredFiles]:
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
            off_limits=_off_limits(root, restore, environment),
            guarded=guarded(environment).identities,
            attributes=attributes,
        )
        yield stack.enter_context(closing(files))


def _make(root: Path, named: str) -> None:
    try:
        # Without its parents: a root whose parent is missing is more likely a disk that is not mounted.
        root.mkdir(mode=0o755)
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise DestinationMissing(f"{named} is not there, nor is the directory that it should be in.") from None
    except OSError as error:
        raise DestinationRefused(f"{named} cannot be made: {(error.strerror or '').lower()}.") from None
    try:
        require_directory(root, shown=named)
    except SourceMissing as error:
        raise DestinationMissing(error.detail) from None
    except SourceRefused as error:
        raise DestinationRefused(error.detail) from None


def _off_limits(root: Path, restore: RestoreRequest, environment: WorkerEnvironment) -> dict[bytes, str]:
    """What must not be written below a root, by its path in it."""
    mounts = Mounts.read()
    left_out = left_out_of(root, environment, mounts)
    reasons = dict.fromkeys(left_out.own, _OWN)
    for path, kind in (*left_out.pseudo, *left_out.pseudo_files):
        reasons[path] = f"it lies in a file system of the type {kind}, which the kernel makes up"
    if restore.store_path is not None:
        reasons |= dict.fromkeys(names_in(root, _real(restore.store_path), mounts), _STORE)
    return {os.fsencode(path.relative_to(root)): reason for path, reason in reasons.items()}


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
