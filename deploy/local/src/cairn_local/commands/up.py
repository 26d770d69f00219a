"""`cairn up`."""

import argparse
import os

from cairn_local import supervisor_control
from cairn_local.commands.logs import print_followed
from cairn_local.errors import LocalError
from cairn_local.logs import log_names
from cairn_local.paths import StateDir
from cairn_local.platform import Started, down, up
from cairn_local.reporter_choice import open_reporter
from cairn_local.status import without_password


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cairn up`."""
    parser.add_argument("--attach", action="store_true", help="stay, show the logs, and stop everything on Ctrl-C")


def run(arguments: argparse.Namespace, state: StateDir) -> int:
    """Start what is not running, and say where everything is."""
    if arguments.attach:
        _attach(arguments, state)
    else:
        print_started(_up(arguments, state), state)
    return 0


def _up(arguments: argparse.Namespace, state: StateDir) -> Started:
    return up(state, reporter=open_reporter(), services=arguments.services, environ=os.environ)


def print_started(started: Started, state: StateDir, *, stays: bool = True) -> None:
    """Addresses; on the very first start also the owner's credentials, which are not shown again.

    `stays`: whether it goes on running, so that its pages can be opened.
    """
    addresses = started.addresses
    pages = (("API docs", f"{addresses.gateway}/api/v1/docs"),) if stays and addresses.gateway else ()
    print("Cairn is running.")
    for title, value in (
        ("gateway", addresses.gateway),
        *pages,
        ("Kafka", addresses.kafka),
        ("MongoDB", without_password(addresses.mongodb_uri)),
        ("state", str(state.root)),
        ("credentials", str(state.credentials)),
    ):
        print(f"  {title:<12} {value}")
    if first := started.first_credentials:
        print("The owner's credentials, shown this once and kept in the file above:")
        for title, value in (("email", first.email), ("password", first.password), ("API key", first.api_key)):
            print(f"  {title:<12} {value}")


def _attach(arguments: argparse.Namespace, state: StateDir) -> None:
    try:
        print_started(_up(arguments, state), state)
        print("Following the logs. Ctrl-C stops everything.", flush=True)
        print_followed(state, log_names(state), going_on=lambda: supervisor_control.is_running(state))
    except KeyboardInterrupt:
        print("\nStopping ...", flush=True)
        raise
    finally:
        down(state)
    # Following ends by itself only when the supervisor has gone.
    raise LocalError("Cairn was stopped from elsewhere.")
