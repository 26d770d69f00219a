"""What a resource may be called and where it may answer: one rule for single resources and for whole lists."""

from collections.abc import Iterable

from contracts.endpoints import endpoint_of
from contracts.messages.catalog import ResourceDescription
from contracts.texts import fault_of

LONGEST_TEXT = 255
# An index entry of the catalog's database has room for it, whatever the alphabet.
LONGEST_URN = 512
MOST_ENDPOINTS = 100
MOST_TAGS = 200


def faults_of(description: ResourceDescription) -> dict[str, str]:
    """What is wrong with a description, in words, by field; an endpoint is `endpoints.0`, a tag `tags.0`."""
    return {name: fault for name, fault in _faults(description) if fault}


def address_fault(address: str) -> str | None:
    """Why an address cannot be used, in words; None when it can."""
    try:
        endpoint_of(address)
    except ValueError as error:
        return str(error)
    return None


def _faults(description: ResourceDescription) -> Iterable[tuple[str, str | None]]:
    yield "urn", fault_of(description.urn, longest=LONGEST_URN, empty=False)
    yield "name", fault_of(description.name, longest=LONGEST_URN)
    yield "class", fault_of(description.class_, longest=LONGEST_TEXT)
    yield "subclass", fault_of(description.subclass, longest=LONGEST_TEXT)
    yield "service", fault_of(description.service, longest=LONGEST_TEXT)
    yield "endpoints", _too_many(description.endpoints, MOST_ENDPOINTS)
    # No more than may be there are looked at, so that a huge request costs no time and its answer stays short.
    for place, address in enumerate(description.endpoints[:MOST_ENDPOINTS]):
        yield f"endpoints.{place}", address_fault(address)
    yield "tags", _too_many(description.tags, MOST_TAGS)
    for place, tag in enumerate(description.tags[:MOST_TAGS]):
        yield f"tags.{place}", fault_of(tag, longest=LONGEST_TEXT, empty=False)


def _too_many(values: tuple[str, ...], most: int) -> str | None:
    return f"are more than {most}" if len(values) > most else None
