"""What is restored of a selection, in the order in which it is written: directories before what is in them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from integrations.sdk.ports.destination import RestoredNode
from restic_reader import Found, Repository
from restic_reader.errors import ReaderError

from connector.stores.selection import Chosen

OnDamage = Callable[[bytes, ReaderError], None]
"""Told of a directory, by its path, of which not all can be read."""


class ChosenNode(NamedTuple):
    """A node on its way to a destination."""

    found: Found
    number: int
    """Its place in the order, equal each time."""
    is_above: bool
    """Whether it is only a directory on the way to what was chosen."""
    is_linked: bool = False
    """Whether it is another name of a file that was met before."""
    is_there: bool | None = None
    """Whether something was found in its place; None where nobody looked."""

    @property
    def restored(self) -> RestoredNode:
        """What a destination is told of it, unless it is a directory."""
        return RestoredNode(path=self.found.path, node=self.found.node, is_there=self.is_there)


class SelectionBroken(Exception):
    """The selection cannot be listed to its end."""

    def __init__(self, cause: ReaderError) -> None:
        super().__init__(cause.detail)
        self.cause = cause


class ChosenNodes:
    """The nodes of a selection."""

    def __init__(self, repository: Repository, tree_id: str, selection: Sequence[Chosen]) -> None:
        self._repository = repository
        self._tree_id = tree_id
        self._selection = selection

    def walk(self, on_damage: OnDamage = lambda *_: None) -> Iterator[ChosenNode]:
        """All of them. Raises `SelectionBroken`."""
        number = 0
        try:
            for found, is_above in self._found(on_damage):
                yield ChosenNode(found, number, is_above)
                number += 1
        except ReaderError as error:
            raise SelectionBroken(error) from error

    def _found(self, on_damage: OnDamage) -> Iterator[tuple[Found, bool]]:
        above: set[tuple[bytes, ...]] = set()
        for chosen in self._selection:
            for depth in range(1, len(chosen.names)):
                names = chosen.names[:depth]
                if names not in above:
                    above.add(names)
                    yield Found(b"/".join(names), self._repository.resolve(self._tree_id, b"/".join(names))), True
            for found in self._below(chosen, on_damage):
                yield found, False

    def _below(self, chosen: Chosen, on_damage: OnDamage) -> Iterator[Found]:
        damaged: dict[str, ReaderError] = {}
        open_directories: list[Found] = [Found(b"/".join(chosen.names), chosen.node)]

        def close_directories(path: bytes | None) -> None:
            # What is wrong with a directory is known once all that it has was met.
            while open_directories and not _is_in(path, open_directories[-1].path):
                left = open_directories.pop()
                if left.node.subtree in damaged:
                    on_damage(left.path, damaged[left.node.subtree])

        top = open_directories[0]
        with closing(self._repository.descend(top, on_damage=damaged.__setitem__)) as below:
            for found in below:
                close_directories(found.path)
                yield found
                if found.node.type == "dir" and found.path != top.path:
                    open_directories.append(found)
        close_directories(None)


def _is_in(path: bytes | None, directory: bytes) -> bool:
    return path is not None and (not directory or path == directory or path.startswith(directory + b"/"))
