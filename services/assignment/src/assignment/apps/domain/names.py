"""Names for new apps. Pure: the same resource gets the same suggestions until they are taken."""

import zlib
from collections.abc import Collection, Iterator
from itertools import count, islice

from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.queries.wizard import Origin, PrefilledText

MOST_SUGGESTIONS = 4
_FIRST = (
    *("amber", "brave", "bright", "calm", "clear", "crisp", "early", "fair", "gentle", "golden", "grand", "green"),
    *("happy", "keen", "kind", "light", "lively", "lucky", "mellow", "merry", "neat", "noble", "plain", "quick"),
    *("quiet", "rapid", "sharp", "silent", "silver", "smooth", "steady", "sunny", "swift", "tidy", "warm", "wide"),
)
_SECOND = (
    *("acorn", "anchor", "badger", "beacon", "birch", "brook", "canyon", "cedar", "clover", "comet", "coral", "crane"),
    *(
        "delta",
        "ember",
        "falcon",
        "fern",
        "fjord",
        "forest",
        "garden",
        "glacier",
        "harbor",
        "heron",
        "island",
        "juniper",
    ),
    *(
        "lagoon",
        "lantern",
        "maple",
        "meadow",
        "orchard",
        "otter",
        "pebble",
        "pine",
        "ridge",
        "river",
        "summit",
        "willow",
    ),
)


def suggested_names(resource: Resource | None, kind: AppKind, taken: Collection[str]) -> tuple[PrefilledText, ...]:
    """Names that no app of the kind on the resource has: of the resource first, then generated ones of two words."""
    free = (each for each in _names(resource, kind) if each.value not in taken)
    return tuple(islice(free, MOST_SUGGESTIONS))


def _names(resource: Resource | None, kind: AppKind) -> Iterator[PrefilledText]:
    if resource is not None:
        of_resource = Origin(kind="resource", name=resource.name)
        # Room for the kind after it, within what a name may be long.
        short = resource.name[:240].strip()
        if short:
            yield PrefilledText(value=short, origin=of_resource)
            yield PrefilledText(value=f"{short} {kind}", origin=of_resource)
    start = zlib.crc32(f"{resource.id if resource else ''} {kind}".encode())
    seen = set[str]()
    for number in count():
        # A step that shares no factor with the number of pairs visits each of them once.
        first, second = divmod((start + number * 5_003) % (len(_FIRST) * len(_SECOND)), len(_SECOND))
        name = f"{_FIRST[first]}-{_SECOND[second]}"
        suffix = f"-{number // (len(_FIRST) * len(_SECOND))}" if name in seen else ""
        seen.add(name)
        yield PrefilledText(value=name + suffix, origin=Origin(kind="generated"))
