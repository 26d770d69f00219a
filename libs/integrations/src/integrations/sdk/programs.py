"""Programs that an integration needs beside itself. The worker starts them: they die with it, whatever happens."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

OnLine = Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class ProgramCommand:
    """What to run. The arguments can be seen by everybody on the machine: secrets go into `environment`."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Beside the few variables that every program gets."""
    directory: Path | None = None
    nice: int = 0


class Program(Protocol):
    """A program that runs."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        ...

    async def pump(self, *, on_output: OnLine, on_error: OnLine) -> None:
        """Hand on the lines of standard output and standard error until both end."""
        ...

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        ...

    async def stop(self, *, grace_seconds: float = 10) -> int:
        """Interrupt it, and kill it when it takes longer than that. Returns its exit code."""
        ...


OpenProgram = Callable[[ProgramCommand], AbstractAsyncContextManager[Program]]
"""Starts a program; it is killed when the context is left while it runs."""
