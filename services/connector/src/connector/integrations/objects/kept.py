"""Listings that are kept from run to run, one for each store that has a restore point of the source."""

from collections.abc import Awaitable, Callable
from pathlib import Path

KEPT = "listings"
LISTING, STORE = ".db", ".store"
"""Ends of names: a listing, and beside it a file with the id of its store."""


async def sweep_listings(place: Path, is_wanted: Callable[[str], Awaitable[bool]]) -> None:
    """Remove those in a source's directory whose store is not wanted, or not known. The caller holds its lock."""
    for listing in sorted((place / KEPT).glob(f"*{LISTING}")):
        beside = listing.with_suffix(STORE)
        store_id = beside.read_text("utf-8") if beside.is_file() else ""
        if not (store_id and await is_wanted(store_id)):
            listing.unlink(missing_ok=True)
            beside.unlink(missing_ok=True)
