"""restic itself, to compare with."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASSWORD = "tests only: p\u00e4ssword"


@dataclass(frozen=True)
class Restic:
    """The restic program at work on one repository."""

    program: Path
    url: str
    environment: dict[str, str] = field(default_factory=dict)
    password: str = PASSWORD

    @property
    def path(self) -> Path:
        return Path(self.url)

    def run(self, *arguments: str | bytes, cwd: Path | None = None) -> bytes:
        own = {
            "RESTIC_REPOSITORY": self.url,
            "RESTIC_PASSWORD": self.password,
            "PATH": os.defpath,
            "HOME": "/nonexistent",
        }
        command = [os.fsencode(self.program), b"--no-cache", *(os.fsencode(part) for part in arguments)]
        done = subprocess.run(command, env={**own, **self.environment}, cwd=cwd, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def init(self, version: int = 2) -> None:
        self.run("init", "--repository-version", str(version))

    def backup(self, source: Path, *options: str) -> str:
        """Backs up the content of a directory; the id of the snapshot."""
        lines = self.run("backup", "--json", *options, ".", cwd=source).splitlines()
        return str(json.loads(lines[-1])["snapshot_id"])

    def ls(self, snapshot: str) -> list[dict[str, Any]]:
        """The nodes that `restic ls --json` tells, in its order."""
        lines = map(json.loads, self.run("ls", "--json", snapshot).splitlines())
        return [line for line in lines if line["struct_type"] == "node"]

    def dump(self, snapshot: str, path: bytes) -> bytes:
        return self.run("dump", snapshot, path)

    def snapshots(self) -> list[dict[str, Any]]:
        return list(json.loads(self.run("snapshots", "--json")))

    def packs(self) -> Iterable[Path]:
        return (self.path / "data").glob("*/*")
