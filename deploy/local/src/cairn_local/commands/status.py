"""`cairn status`."""

import argparse
import json

from cairn_local.paths import StateDir
from cairn_local.status import Status, read_status

UNHEALTHY, NOT_RUNNING = 1, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cairn status`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, and exit with 0 whatever it says")


def run(arguments: argparse.Namespace, state: StateDir) -> int:
    """Print what runs where. Exits with 1 when something is not healthy, with 3 when nothing runs."""
    status = read_status(state)
    if arguments.json:
        # Programs read the state out of the JSON: an exit code other than 0 would look like a failure of the command.
        print(json.dumps(status.as_json(), indent=2))
        return 0
    _print(status)
    return 0 if status.healthy else UNHEALTHY if status.running else NOT_RUNNING


def _print(status: Status) -> None:
    print(f"Cairn is {'running' if status.running else 'not running'}. Its state is in {status.state_dir}")
    if not status.running:
        return
    for process in status.processes:
        health = "healthy" if process.healthy else "not healthy" if process.pid else "not running"
        print(f"  {process.name:<14} {process.pid or '-':>8}  {health:<12} {process.address}")
    print(f"  gateway      {status.gateway}")
    print(f"  Kafka        {status.kafka}")
    print(f"  MongoDB      {status.mongodb_uri}")
    print(f"  credentials  {status.credentials_file}")
