"""Which directories may be a root: those in the allowed ones, and none of Cairn's own, by whatever name."""

import os
from collections.abc import Iterable
from pathlib import Path

from connector.integrations.errors import ConfigurationUnusable, RootForbidden, SourceMissing, SourceRefused
from connector.integrations.surroundings import Surroundings


def resolve_root(root: str, surroundings: Surroundings) -> Path:
    """The real directory behind a root, which need not be there yet. Raises `RootForbidden`, `ConfigurationUnusable`.

    All links are followed first, in the root as in what it is compared with.
    """
    if not root.startswith("/") or "\0" in root:
        raise ConfigurationUnusable("fields.root", "The root must be an absolute path.")
    real = _real(Path(root))
    if not any(real.is_relative_to(_real(allowed)) for allowed in surroundings.allowed_roots):
        raise RootForbidden(root, "it is not in a directory that workers may touch")
    if any(_is_within(real, own) for own in _own(surroundings)):
        raise RootForbidden(root, "it belongs to Cairn's own state")
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


def own_places_in(root: Path, surroundings: Surroundings) -> tuple[Path, ...]:
    """Cairn's own directories and files below a root: they are never backed up."""
    return tuple(own for own in map(_real, _own(surroundings)) if own.is_relative_to(root))


def _own(surroundings: Surroundings) -> Iterable[Path]:
    return (*surroundings.state_dirs, *surroundings.key_files, surroundings.work_dir)


def _is_within(real: Path, own: Path) -> bool:
    if real.is_relative_to(_real(own)):
        return True
    return any(_is_same(each, own) for each in (real, *real.parents))


def _is_same(one: Path, other: Path) -> bool:
    """Also when one of them is a bind mount of the other."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
