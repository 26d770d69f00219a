"""Running the tools that fetch and build."""

import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cairn_local.errors import LocalError

_LAST_LINES = 15
_GRACE_SECONDS = 5.0


def run_tool(
    argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None, on_line: Callable[[str], None]
) -> None:
    """Run a tool to its end, handing each line it prints to `on_line`.

    Raises LocalError with the last lines when the tool fails or cannot be started.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    name = Path(argv[0]).name
    try:
        with (
            subprocess.Popen(
                [str(part) for part in argv],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process,
            _ended_on_failure(process),
        ):
            for line in process.stdout or ():
                last.append(line.rstrip())
                on_line(line.rstrip())
            process.wait()
    except OSError as error:
        raise LocalError(f"{name} could not be started: {error.strerror}.") from error
    if process.returncode:
        raise LocalError(f"{name} failed with exit code {process.returncode}. Its last lines:\n" + "\n".join(last))


@contextmanager
def _ended_on_failure(process: "subprocess.Popen[str]") -> Iterator[None]:
    """End the tool and all that it started, in a session of its own, when the block is left by Ctrl-C or the like."""
    try:
        yield
    except BaseException:
        _signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        _signal_group(process, signal.SIGKILL)
        raise


def _signal_group(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    # PermissionError: macOS says this for a group in which only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def tool_output(argv: Sequence[str | Path]) -> str:
    """What a tool prints, standard error included; empty when it fails or is absent."""
    try:
        result = subprocess.run(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""


def parse_version(text: str) -> tuple[int, ...]:
    """The first dotted number in `text` as integers; empty when there is none."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
