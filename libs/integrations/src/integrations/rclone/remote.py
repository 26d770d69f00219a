"""How rclone reaches a source: by variables of its environment only, never by a file or an argument."""

import asyncio
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import StoreLocation
from integrations.sdk.programs import OpenProgram, ProgramCommand

_NAME = "CAIRN"
_NICE = 5


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A place that rclone can read. Its `repr` shows no secret."""

    settings: Mapping[str, str] = field(repr=False)
    """Options of the back end, as its documentation names them: `type`, `endpoint`, ..."""
    path: str
    """Within the remote, e.g. `bucket/prefix`."""
    origin: str
    """For people, e.g. `s3://bucket/prefix`."""
    secrets: Sequence[str] = field(default=(), repr=False)
    insecure_tls: bool = False

    @property
    def argument(self) -> str:
        """The remote as an argument of a command."""
        return f"{_NAME.lower()}:{self.path}"


class Rclone:
    """The rclone program at the service of one run."""

    def __init__(
        self, program: str, *, open_program: OpenProgram, cache_dir: Path, on_log: OnLog, cancel: asyncio.Event
    ) -> None:
        self._program = program
        self.open_program = open_program
        self._cache_dir = cache_dir
        self.on_log = on_log
        self.cancel = cancel

    def command(self, *arguments: str, remote: Remote) -> ProgramCommand:
        """A command of the run, which gives way to more urgent work."""
        found = rclone_command(self._program, *arguments, remote=remote, cache_dir=self._cache_dir)
        return replace(found, nice=_NICE)


def rclone_command(program: str, *arguments: str, remote: Remote, cache_dir: Path) -> ProgramCommand:
    """A command line of an rclone that knows the remote and writes its log as JSON."""
    # Otherwise rclone reads the configuration of the user that runs the worker.
    common = ["--config", os.devnull, "--cache-dir", str(cache_dir), "--use-json-log"]
    return ProgramCommand(arguments=[program, *common, *arguments], environment=_variables(remote))


def engine_location(program: str, remote: Remote, *, passphrase: str) -> StoreLocation:
    """A repository on the remote as the engine reaches it: it starts an rclone of its own, which ends with it."""
    variables = {**_variables(remote), "RCLONE_CONFIG": os.devnull}
    secret = {name for name, value in variables.items() if value in remote.secrets}
    return StoreLocation(
        address=f"rclone:{remote.argument}",
        passphrase=passphrase,
        credentials={name: variables[name] for name in secret},
        variables={name: value for name, value in variables.items() if name not in secret},
        options={"rclone.program": shlex.quote(program), "rclone.args": "serve restic --stdio"},
    )


def _variables(remote: Remote) -> dict[str, str]:
    found = {f"RCLONE_CONFIG_{_NAME}_{name.upper()}": value for name, value in remote.settings.items() if value}
    return found | ({"RCLONE_NO_CHECK_CERTIFICATE": "true"} if remote.insecure_tls else {})
