"""Keeps restic's cache of store metadata within bounds."""

import shutil
from pathlib import Path


def trim(directory: Path, bytes_max: int) -> None:
    """Remove whole caches, least recently used first, until the rest fits; the most recent one always stays.

    A cache that is in use may go too: restic then reads from the store what it does not find.
    """
    caches = [path for path in directory.glob("*/") if (path / "version").is_file()]
    caches.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    used = 0
    for place, cache in enumerate(caches):
        used += sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
        if used > bytes_max and place > 0:
            shutil.rmtree(cache, ignore_errors=True)
