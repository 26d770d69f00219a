"""`cairn secrets`."""

import argparse
import json

from cairn_local.keys import MASTER
from cairn_local.paths import StateDir
from cairn_local.rotation import Gateway, Json, Rotation, key_lines

LEFT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The steps of `cairn secrets`."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    rotate = steps.add_parser("rotate", help="replace the master key; interrupted, it goes on where it was")
    rotate.add_argument(
        "--grace", type=float, metavar="SECONDS", help="after which a request has ended that began before (default: 35)"
    )
    status = steps.add_parser("status", help="say what is sealed under which key; 1 if some is under a former one")
    status.add_argument("--json", action="store_true", help="print one JSON object, and exit with 0 whatever it says")


def run(arguments: argparse.Namespace, state: StateDir) -> int:
    """Do a step. No key is ever printed or named on a command line: they are called by their ids."""
    gateway = Gateway.of(state)
    if arguments.step == "rotate":
        Rotation(state, gateway, _say, arguments.grace).run()
        print(f"The master key is replaced. Copy {state.key(MASTER)} again to where you keep it safe.")
        return 0
    status: Json = gateway.run("status", say=_say)["status"]
    if arguments.json:
        print(json.dumps(status, indent=2))
        return 0
    _print(status)
    return LEFT if any(key["values"] for key in status["keys"] if key["role"] in ("former", "unknown")) else 0


def _say(words: str) -> None:
    print(words, flush=True)


def _print(status: Json) -> None:
    print("Master keys, and what is sealed under each:")
    print("\n".join(key_lines(status)))
    print("Processes, and the keys that each has, the one that seals first:")
    for process in status["processes"]:
        print(f"  {process['name']:<24} {' '.join(process['key_ids'])}")
