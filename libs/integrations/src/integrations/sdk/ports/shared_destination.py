"""The port of destinations that several processes can write to at once."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from restic_reader import Node

from integrations.sdk.ports.destination import RestoredNode, Write

Compare = Callable[[int], None]
"""Called with the descriptor of a file that has all its content and no name yet; what it raises, `write` does too."""


class Place(NamedTuple):
    """A directory that is held open."""

    descriptor: int
    inherits: bool
    """Whether what is made in it gets an access list of its own."""


class Put(NamedTuple):
    """A file that has its name."""

    was_there: bool
    """Whether something was in its place, as far as could be seen."""
    is_sure: bool
    """Whether nothing else can have been given the name between looking and writing."""
    lacking: str
    """What it must do without, in words."""


class HeldPlace(NamedTuple):
    """The directory that a file goes into, held open until one of the two was called."""

    place: Place
    write: Write
    """Writes the file by this process after all, as what `OpenDestination.writing` returns."""
    release: Callable[[], None]


class FileWriter(Protocol):
    """Writes regular files to a destination from a process that has only the directories that they are put into."""

    def write(self, node: Node, name: bytes, place: Place, pieces: Iterator[bytes], *, compare: Compare | None) -> Put:
        """Put a file in the place of whatever is there. Raises as `OpenDestination.write`."""
        ...


MakeWriter = Callable[[], FileWriter]


@runtime_checkable
class SharedDestination(Protocol):
    """What an `OpenDestination` can do as well where other processes may write to it."""

    def file_writer(self) -> MakeWriter:
        """Makes in another process what writes there; it can be pickled."""
        ...

    def prepare(self, directories: Iterable[bytes]) -> None:
        """Make directories, by their paths in pre-order, that `make_directory` will be called for without
        `keep_attributes`; what it says of them is as if they were made then. Those that it is not called for in the
        end are removed.
        """
        ...

    def held(self, restored: RestoredNode) -> HeldPlace:
        """The directory that a file goes into, held open. Called, and raises, as `writing`."""
        ...
