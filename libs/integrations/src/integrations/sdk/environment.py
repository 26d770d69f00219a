"""What integrations may use of the worker's machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from integrations.sdk.programs import OpenProgram

ReadingMode = Literal["auto", "mount", "sync"]


@dataclass(frozen=True, kw_only=True)
class WorkerEnvironment:
    """Handed to every integration by `app.py`."""

    rclone: str
    """The executable: a path, or a name to be looked up in `PATH`."""
    work_dir: Path
    """Private directory of this worker's own (0700): scratch copies, mount points, caches. Made when needed."""
    open_program: OpenProgram
    """How programs such as rclone are started."""
    allowed_roots: tuple[Path, ...] = (Path("/"),)
    """Directories in and below which `fs` apps may have their roots."""
    state_dirs: tuple[Path, ...] = ()
    """Cairn's own state: never a root nor part of one, left out of backups around it."""
    key_files: tuple[Path, ...] = ()
    """What opens every secret: left out of backups, wherever it lies."""
    reading: ReadingMode = "auto"
    """How sources that are not files are read: through a mount, or from a copy kept in `work_dir` for the next run.

    `auto` mounts where the machine can (it needs `/dev/fuse` and `fusermount3`) and copies where it cannot.
    """
