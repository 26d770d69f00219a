"""Folders of a copy, which may lie as deep as a key has slashes: nothing here recurses."""

import os
from collections.abc import Iterator
from pathlib import Path

from integrations.object_storage.listing import Listing


def make_folders(folder: Path) -> None:
    """The folder and those above it, where they are not there. Raises `OSError`."""
    # A key may have hundreds of slashes, so that recursion, as in `Path.mkdir`, would not do.
    missing = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    if not os.path.lexists(folder):
        return
    folders = [str(folder)]
    for entry in descend(folder):
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.path)
        else:
            os.unlink(entry.path)  # noqa: PTH108
    for each in reversed(folders):
        os.rmdir(each)  # noqa: PTH106


def remove_unlisted(directory: Path, listing: Listing) -> None:
    """Remove files and folders of a copy that have no place in the listing."""
    start = len(str(directory)) + 1
    for entry in descend(directory):
        path = entry.path[start:]
        if entry.is_dir(follow_symlinks=False):
            if not listing.has_folder(path):
                remove_tree(Path(entry.path))
        elif listing.at(path) is None:
            os.unlink(entry.path)  # noqa: PTH108


def descend(directory: Path) -> Iterator["os.DirEntry[str]"]:
    """Everything below a directory, each folder before what lies in it: it may be gone by then."""
    waiting = [str(directory)]
    while waiting:
        folder = waiting.pop()
        if not os.path.lexists(folder):
            continue
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
