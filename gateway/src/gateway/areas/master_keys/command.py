"""`python -m gateway secrets`: what happens is told in JSON, a line for each step."""

import argparse
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from contracts.errors import CairnError

from gateway.areas.master_keys.service import GRACE, PATIENCE_SECONDS, MasterKeys

HELP = "count what hangs on which master key, and take it under the current one"
Write = Callable[[str], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The steps of a replacement of the master key. No argument is a secret: keys are called by their ids."""
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("status", help="show the keys, what hangs on them, and the processes that have them")
    waiting = steps.add_parser("await", help="wait until all running processes have taken a key up; 1 if they do not")
    waiting.add_argument("key", help="id of the key")
    waiting.add_argument("--until", choices=("known", "current", "gone"), default="known")
    resealing = steps.add_parser("reseal", help="take everything under the current key; 1 if some is left")
    resealing.add_argument(
        "--grace",
        type=float,
        default=GRACE.total_seconds(),
        help="seconds after which a request that began before the switch has ended (default: %(default)s)",
    )
    for step in (waiting, resealing):
        step.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="seconds to wait for others")


async def run(keys: MasterKeys, arguments: argparse.Namespace, *, write: Write = sys.stdout.write) -> None:
    """Do a step and tell about it. Raises what keeps it from being done, after telling that too."""

    def tell(**facts: Any) -> None:
        write(orjson.dumps({"secrets": facts}).decode() + "\n")
        sys.stdout.flush()

    def say(words: str) -> None:
        tell(doing=words)

    try:
        if arguments.step == "await":
            await keys.taken_up(arguments.key, arguments.until, say, patience_seconds=arguments.patience)
            tell(done=True)
            return
        if arguments.step == "reseal":
            grace = timedelta(seconds=arguments.grace)
            status = await keys.reseal(say, grace=grace, patience_seconds=arguments.patience)
        else:
            status = await keys.status()
        tell(status=status.model_dump(mode="json"), done=True)
    except CairnError as error:
        tell(problem={"code": error.code, "detail": error.detail})
        raise
