"""A restic whose runs begin only when a test says so."""

import stat
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import eventually_async


@dataclass
class Gate:
    """Lets the n-th run of a restic command begin only when told so: restic itself, started through a short script."""

    folder: Path
    restic: Path
    command: str = "backup"

    @property
    def script(self) -> Path:
        """What workers run as restic."""
        path = self.folder / "restic"
        if not path.exists():
            path.write_text(
                "#!/bin/sh\n"
                f'case " $* " in *" {self.command} "*)\n'
                f'n=1; while ! mkdir "{self.folder}/arrived-$n" 2>/dev/null; do n=$((n+1)); done\n'
                f'while [ ! -e "{self.folder}/open-$n" ]; do sleep 0.05; done\n'
                "esac\n"
                f'exec "{self.restic}" "$@"\n'
            )
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    async def arrived(self, number: int) -> None:
        await eventually_async((self.folder / f"arrived-{number}").exists, 30)

    def open(self, number: int) -> None:
        (self.folder / f"open-{number}").touch()
