"""`cairn logs`."""

import argparse
from collections.abc import Callable, Sequence

from cairn_local.logs import choose_logs, follow, last_lines
from cairn_local.paths import StateDir

DEFAULT_LINES = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cairn logs`."""
    parser.add_argument("name", nargs="?", help="one process (default: all)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is added, until Ctrl-C")
    parser.add_argument("-n", "--lines", type=int, default=DEFAULT_LINES, help="lines of each (default: %(default)s)")


def run(arguments: argparse.Namespace, state: StateDir) -> int:
    """Print the ends of the log files."""
    names = choose_logs(state, arguments.name)
    for name in names:
        for line in last_lines(state.log(name), arguments.lines):
            print(f"{name} | {line}" if len(names) > 1 else line, flush=True)
    if arguments.follow:
        # Also while nothing runs: somebody may be about to start it in another terminal.
        print_followed(state, names, going_on=lambda: True)
    return 0


def print_followed(state: StateDir, names: Sequence[str], *, going_on: Callable[[], bool]) -> None:
    """Print what is added to the logs for as long as `going_on` says."""
    for name, line in follow(state, names, going_on=going_on):
        print(f"{name} | {line}" if len(names) > 1 else line, flush=True)
