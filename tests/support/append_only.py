"""Directories in which nothing can be deleted, for a program that goes by permissions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def undeletable_files(directories: Sequence[Path]) -> Iterator[None]:
    """Files of these directories cannot be deleted until the context is left, unless by root's right to do anything."""
    before = [(each, each.stat().st_mode) for each in directories]
    for directory in directories:
        directory.chmod(0o555)
    try:
        yield
    finally:
        for directory, mode in before:
            directory.chmod(mode)
