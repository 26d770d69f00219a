"""Locks in repositories on this machine, as a restic of any host, process and time leaves them."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from restic_reader import Access, FileKind, LocalFiles

from tests.unit.restic_reader.builder import seal


def leave_lock(
    root: Path, passphrase: str, *, host: str, process: int = 4711, minutes_old: float = 1, exclusive: bool = True
) -> Path:
    """The file of a lock that was renewed last so long ago."""
    access = Access.open(LocalFiles(root), passphrase)
    at = datetime.now(UTC) - timedelta(minutes=minutes_old)
    document = {"time": at.isoformat(), "exclusive": exclusive, "hostname": host, "username": "me", "pid": process}
    sealed = seal(access.box.keys, json.dumps(document | {"uid": 0, "gid": 0}).encode())
    place = root / FileKind.LOCK.value / hashlib.sha256(sealed).hexdigest()
    place.write_bytes(sealed)
    return place
