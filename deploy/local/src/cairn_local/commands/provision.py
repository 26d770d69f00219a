"""`cairn provision`."""

import argparse
import os

from cairn_local.paths import StateDir, find_cache_dir
from cairn_local.provision.cache import Cache
from cairn_local.provision.programs import provision_all
from cairn_local.reporter_choice import open_reporter


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """`cairn provision` has no options."""


def run(_arguments: argparse.Namespace, _state: StateDir) -> int:
    """Fetch and build what is not in the cache yet; start nothing."""
    cache = Cache(find_cache_dir(os.environ))
    provision_all(cache, open_reporter(), environ=os.environ)
    print(f"Everything is there. The cache is {cache.root}")
    return 0
