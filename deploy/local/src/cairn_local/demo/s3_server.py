"""The demo's own S3 server: `rclone serve s3`, with its keys in a file that only the owner can read.

`python -m cairn_local.demo.s3_server RCLONE DIRECTORY ADDRESS` becomes the server. The keys go to rclone in its
environment, so that they are on no command line and in no plan of the supervisor.
"""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from cairn_local.paths import write_private

BUCKETS = ("photos", "vault")


@dataclass(frozen=True)
class S3Keys:
    """What a client of the server needs."""

    access_key: str
    secret_access_key: str


def prepare(directory: Path) -> S3Keys:
    """Make the buckets and, once, the keys."""
    for bucket in BUCKETS:
        (directory / "buckets" / bucket).mkdir(parents=True, exist_ok=True)
    path = directory / "s3-keys.json"
    if not path.exists():
        keys = {"access_key": f"CAIRN{secrets.token_hex(8).upper()}", "secret_access_key": secrets.token_urlsafe(30)}
        write_private(path, json.dumps(keys))
    return load_keys(directory)


def load_keys(directory: Path) -> S3Keys:
    """The keys made by `prepare`."""
    return S3Keys(**json.loads((directory / "s3-keys.json").read_text()))


def main() -> None:
    """Become rclone."""
    rclone, directory, address = sys.argv[1:]
    keys = load_keys(Path(directory))
    environment = {**os.environ, "RCLONE_AUTH_KEY": f'"{keys.access_key},{keys.secret_access_key}"'}
    buckets = str(Path(directory) / "buckets")
    command = [rclone, "serve", "s3", buckets, "--addr", address, "--config", os.devnull]
    os.execve(rclone, command, environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
