"""Which files a backup leaves out, in restic's patterns."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from contracts.ignore_patterns import names_files
from integrations.sdk.locations import SourceTree, StoreLocation

from connector.engine.errors import SourceInsideStore

_GLOB = re.compile(r"([\\*?\[])")


def exclusions(source: SourceTree, store: StoreLocation, ignores: Iterable[str]) -> list[str]:
    """Patterns for `--exclude`: the user's, then Cairn's own, which no pattern of the user's can take in again.

    They are handed over as arguments rather than in a file, where restic would expand `$VARIABLES`, cut spaces and
    take `#` for a remark. Raises `SourceInsideStore`.
    """
    root = source.directory
    users = [anchored(pattern, root) for pattern in ignores if names_files(pattern)]
    own = [escape(path) for path in (*source.excludes, *_store_in(root, store))]
    return [*users, *own, *(f"{escape(path)}/*" for path in source.hollow)]


def anchored(pattern: str, root: Path) -> str:
    """A pattern whose leading `/` is the root of the source, as restic needs it: below the source's directory."""
    taken_in = pattern.startswith("!")
    body = pattern.removeprefix("!").rstrip("/")
    if body.startswith("/") and not Path(body).is_relative_to(root):
        body = escape(root).rstrip("/") + body
    return f"!{body}" if taken_in else body


def escape(path: Path) -> str:
    """A pattern that matches just this path."""
    return _GLOB.sub(r"\\\1", str(path))


def _store_in(root: Path, store: StoreLocation) -> list[Path]:
    if store.local_path is None:
        return []
    place, root = (Path(os.path.realpath(path)) for path in (store.local_path, root))
    if root.is_relative_to(place):
        raise SourceInsideStore
    return [place] if place.is_relative_to(root) else []
