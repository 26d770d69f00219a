"""What answers to queries share."""

from typing import Generic, TypeVar

from contracts.values import Value

V = TypeVar("V")


class Listing(Value, Generic[V]):
    """All that was asked for."""

    items: tuple[V, ...]


class Page(Listing[V], Generic[V]):
    """A part of a listing and how many there are in all."""

    total: int
