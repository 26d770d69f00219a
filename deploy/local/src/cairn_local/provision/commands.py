"""Running the tools that fetch and build."""

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cairn_local.errors import LocalError

_LAST_LINES = 15


def run_tool(
    argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None, on_line: Callable[[str], None]
) -> None:
    """Run a tool to its end, handing each line it prints to `on_line`.

    Raises LocalError with the last lines when the tool fails or cannot be started.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    name = Path(argv[0]).name
    try:
        with subprocess.Popen(
            [str(part) for part in argv],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                last.append(line.rstrip())
                on_line(line.rstrip())
    except OSError as error:
        raise LocalError(f"{name} could not be started: {error.strerror}.") from error
    if process.returncode:
        raise LocalError(f"{name} failed with exit code {process.returncode}. Its last lines:\n" + "\n".join(last))


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
