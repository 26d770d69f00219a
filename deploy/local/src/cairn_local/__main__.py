"""The `cairn` command."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cairn_local.commands import demo, doctor, down, logs, provision, secrets, status, up
from cairn_local.errors import LocalError
from cairn_local.paths import StateDir, find_state_dir
from cairn_local.services import SERVICES, Service

FAILED, INTERRUPTED = 1, 130


class Command(NamedTuple):
    """A subcommand: what it is for, its options, and what it does (the result is the exit code)."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, StateDir], int]


COMMANDS = {
    "up": Command("start everything that is not running", up.add_arguments, up.run),
    "down": Command("stop everything; the data stays", down.add_arguments, down.run),
    "demo": Command("start everything and do the main job on real data", demo.add_arguments, demo.run),
    "status": Command("say what runs where", status.add_arguments, status.run),
    "logs": Command("show the logs", logs.add_arguments, logs.run),
    "secrets": Command("replace the master key while everything runs", secrets.add_arguments, secrets.run),
    "doctor": Command("check what has to be installed", doctor.add_arguments, doctor.run),
    "provision": Command("fetch and build what is needed, and start nothing", provision.add_arguments, provision.run),
}


def main(argv: Sequence[str] | None = None, *, services: Sequence[Service] = SERVICES) -> int:
    """Run one command; its failures are said in words on standard error."""
    arguments = build_parser().parse_args(argv, argparse.Namespace(services=services))
    _treat_as_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    state = find_state_dir(os.environ, Path.cwd())
    try:
        return COMMANDS[arguments.command].run(arguments, state)
    except LocalError as error:
        print(error, file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader of a pipe has gone. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        print(f"{error.filename or 'The system'}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """The options of all commands."""
    parser = argparse.ArgumentParser(prog="cairn", description="Runs Cairn on this machine.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.summary, description=command.summary)
        command.add_arguments(subparser)
    return parser


def _treat_as_ctrl_c(*numbers: signal.Signals) -> None:
    for number in numbers:
        # nohup has SIGHUP ignored, and means it.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(main())
