"""`cairn demo`."""

import argparse
import os
from pathlib import Path

import httpx

from cairn_local import supervisor_control
from cairn_local.api_client import ApiProblem
from cairn_local.commands.up import print_started
from cairn_local.demo.setup import perform
from cairn_local.errors import LocalError
from cairn_local.paths import StateDir, find_cache_dir
from cairn_local.platform import down, up
from cairn_local.process_plan import load_plan
from cairn_local.provision.cache import Cache
from cairn_local.provision.programs import provision_engine
from cairn_local.reporter_choice import open_reporter

COMPARED = "README.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cairn demo`."""
    parser.add_argument("--exit", action="store_true", help="stop everything at the end instead of leaving it running")


def run(arguments: argparse.Namespace, state: StateDir) -> int:
    """Start everything and do the main job, with the current directory as one of the sources."""
    project = Path.cwd()
    if not (project / COMPARED).is_file():
        raise LocalError(f"There is no {COMPARED} here to back up.", hint="Run the demo in the checkout of Cairn.")
    ran_before = supervisor_control.is_running(state)
    try:
        _do(arguments, state, project)
    # What ran before the demo belongs to somebody else: only what it started itself is stopped.
    except KeyboardInterrupt:
        if not ran_before:
            down(state)
        raise
    finally:
        if arguments.exit:
            down(state)
        running = supervisor_control.is_running(state)
        print("Cairn goes on running; `make down` stops it, the data stays." if running else "Everything is stopped.")
    return 0


def _do(arguments: argparse.Namespace, state: StateDir, project: Path) -> None:
    reporter = open_reporter()
    started = up(state, reporter=reporter, services=arguments.services, environ=os.environ)
    print_started(started, state, stays=not arguments.exit)
    rclone = provision_engine(Cache(find_cache_dir(os.environ)), reporter).rclone
    print("The main job, step by step:", flush=True)
    try:
        url = perform(state, load_plan(state.plan), rclone=rclone, project=project, say=_print_now)
    except (ApiProblem, TimeoutError) as error:
        raise LocalError(f"The demo ended early. {error}") from error
    except httpx.HTTPError as error:
        raise LocalError("The demo ended early. The gateway gave no answer.", hint=_reason(error)) from error
    except LookupError as error:
        raise LocalError("The demo ended early. An answer lacks what was asked for.", hint=_reason(error)) from error
    print("Everything really happened." + _where_to_read_on(url, stays=not arguments.exit), flush=True)


def _where_to_read_on(url: str, *, stays: bool) -> str:
    return f" The API is documented at {url}/api/v1/docs" if stays else ""


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _print_now(line: str) -> None:
    print(line, flush=True)
