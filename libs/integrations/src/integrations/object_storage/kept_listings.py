"""Listings that are kept from run to run, one for each store that has a restore point of the source."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

KEPT = "listings"
LISTING, STORE, HALF = ".db", ".store", ".new"
"""Ends of names: a listing, beside it a file with the id of its store, and a listing that is being written."""


async def sweep_listings(place: Path, is_wanted: Callable[[str], Awaitable[bool]]) -> None:
    """Remove those in a source's directory whose store is not wanted, or not known. The caller holds its lock.

    What is left of one that was never kept whole goes too.
    """
    await asyncio.to_thread(_remove_halves, place / KEPT)
    for listing, store_id in await asyncio.to_thread(_kept, place / KEPT):
        if not (store_id and await is_wanted(store_id)):
            await asyncio.to_thread(_remove, listing)


def _remove_halves(kept: Path) -> None:
    for half in kept.glob(f"*{HALF}"):
        half.unlink(missing_ok=True)
    for beside in kept.glob(f"*{STORE}"):
        if not beside.with_suffix(LISTING).exists():
            beside.unlink(missing_ok=True)


def _kept(kept: Path) -> list[tuple[Path, str]]:
    """The listings and the ids of their stores, empty where that is not known."""
    return [(listing, _store_of(listing.with_suffix(STORE))) for listing in sorted(kept.glob(f"*{LISTING}"))]


def _store_of(beside: Path) -> str:
    return beside.read_text("utf-8") if beside.is_file() else ""


def _remove(listing: Path) -> None:
    # First, so that what a killed clean-up leaves is an id without a listing, which `_remove_halves` takes away.
    listing.unlink(missing_ok=True)
    listing.with_suffix(STORE).unlink(missing_ok=True)
