"""`cairn down`."""

import argparse

from cairn_local.paths import StateDir
from cairn_local.platform import down


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """`cairn down` has no options."""


def run(_arguments: argparse.Namespace, state: StateDir) -> int:
    """Stop everything. The data stays."""
    print("Cairn is stopped." if down(state) else "Cairn was not running.")
    return 0
