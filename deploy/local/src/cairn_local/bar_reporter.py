"""Progress bars, apart from `step_reporters` so that only a terminal pays for loading rich."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from cairn_local.step_reporters import Step


class BarStep:
    """A line with a bar that pulses until the number of parts is known."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def say(self, detail: str) -> None:
        """Show `detail` behind the bar."""
        # The end of a line says more: Maven and Go print long paths whose beginnings are alike.
        self._progress.update(self._task, detail=detail[-60:])

    def remind(self, detail: str) -> None:
        """The same: it is seen at once."""
        self.say(detail)

    def advance(self, done: int, total: int) -> None:
        """Fill the bar."""
        self._progress.update(self._task, completed=done, total=total)


class BarReporter:
    """One bar per step; a finished step leaves one line."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show the bar while the block runs."""
        columns = (
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(title, total=None, detail="")
            yield BarStep(progress, task)
            progress.update(task, total=1, completed=1, detail="")
