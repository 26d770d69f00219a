"""Finds the program of a hook among those that the worker's operator put into one directory."""

import os
import stat
from pathlib import Path

from contracts.errors import PermanentError
from contracts.hooks import HookPlace, hook_name_fault


def find_hook(directory: Path | None, place: HookPlace, name: str) -> Path:
    """The file to run. Blocks. Raises `hooks_disabled`, `hook_name_invalid`, `hook_not_found` or `hook_not_allowed`."""
    if directory is None:
        detail = f"The job names the hook {place} ({name}), and this worker runs none: CAIRN_HOOKS_DIR is not set."
        raise PermanentError("hooks_disabled", detail)
    if fault := hook_name_fault(name):
        raise PermanentError("hook_name_invalid", f"The name of the hook {place} {fault}.")
    try:
        home = directory.resolve(strict=True)
        found = (home / name).resolve(strict=True)
        facts = found.stat()
    except OSError as error:
        detail = f"The hook {place} ({name}) is not in this worker's hooks directory: {error.strerror}."
        raise PermanentError("hook_not_found", detail) from None
    if fault := _fault(found, facts, home):
        raise PermanentError("hook_not_allowed", f"The hook {place} ({name}) is not run: it {fault}.")
    # By the name that was asked for: some programs look at what they are called.
    return home / name


def _fault(found: Path, facts: os.stat_result, home: Path) -> str | None:
    if not found.is_relative_to(home):
        return "leads out of the hooks directory"
    if not stat.S_ISREG(facts.st_mode):
        return "is not a regular file"
    # Whoever can change the program could do whatever the worker can.
    if facts.st_mode & stat.S_IWOTH or home.stat().st_mode & stat.S_IWOTH:
        return "can be changed by every user of the machine"
    if not os.access(found, os.X_OK):
        return "is not executable"
    return None
