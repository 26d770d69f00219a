"""The commands of the gateway: `serve`, `relay`, `migrate`, `secrets`, and `openapi` (its description)."""

import argparse
import sys
from pathlib import Path

import orjson
from chassis.runtime.process import MoreCommand, main

from gateway.api import build_api
from gateway.app import open_app, open_master_keys, open_outbox
from gateway.areas.master_keys import command as secrets_command
from gateway.http.dependencies import Services
from gateway.http.openapi import describe
from gateway.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "openapi.json"


def openapi(arguments: list[str]) -> int:
    """Write `openapi.json`, or with `--check` return 1 if it is stale."""
    parser = argparse.ArgumentParser(prog="gateway openapi")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the file is stale")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="where the document is kept")
    options = parser.parse_args(arguments)
    # Without services: routes look them up when they are called, so the description needs none.
    document = describe(build_api(Services(), {}, max_body_bytes=0))
    content = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if not options.check:
        options.output.write_bytes(content)
    elif not options.output.is_file() or options.output.read_bytes() != content:
        sys.stderr.write(f"{options.output.name} is stale: run `make schemas`\n")
        return 1
    return 0


async def secrets(settings: Settings, arguments: argparse.Namespace) -> None:
    """Do a step of the replacement of the master key."""
    async with open_master_keys(settings) as keys:
        await secrets_command.run(keys, arguments)


if __name__ == "__main__":
    # Before `main`, which reads the settings: the document follows from the code alone.
    if sys.argv[1:2] == ["openapi"]:
        sys.exit(openapi(sys.argv[2:]))
    more = {"secrets": MoreCommand(secrets_command.HELP, secrets_command.add_arguments, secrets)}
    main("gateway", Settings, open_app=open_app, open_outbox=open_outbox, more=more)
