"""The files of a restore that have more than one name."""

import sys
from threading import Lock
from typing import NamedTuple

from restic_reader import Node

from integrations.sdk.locations import FileIdentity

_Key = tuple[int, int, str, str, tuple[str, ...]]


class Named(NamedTuple):
    """A file under the first of its names."""

    path: bytes
    identity: FileIdentity


class HardLinks:
    """Remembers a file until all of its names were met, a pipe for good. Safe to use from any thread."""

    def __init__(self) -> None:
        self._files: dict[_Key, tuple[Named, int]] = {}
        self._met: dict[tuple[_Key, FileIdentity], set[bytes]] = {}
        self._replaced: set[tuple[_Key, FileIdentity]] = set()
        self._lock = Lock()

    def note(self, node: Node, named: Named) -> None:
        """A file is there under the first of its names."""
        if node.may_have_other_names:
            with self._lock:
                self._files.setdefault(_key(node), (named, node.links - 1 if node.links else sys.maxsize))

    def known(self, node: Node) -> Named | None:
        """The same as `of`, but another name of it is not counted as met."""
        with self._lock:
            return self._files.get(_key(node), (None, 0))[0] if node.may_have_other_names else None

    def meet(self, node: Node, named: Named) -> None:
        """A file was there already under this name, which may be one of several."""
        met = (_key(node), named.identity)
        if node.may_have_other_names and met not in self._replaced:
            self.note(node, named)
            with self._lock:
                self._met.setdefault(met, set()).add(named.path)

    def met_at(self, node: Node, identity: FileIdentity) -> frozenset[bytes]:
        """Under which names a file was met; something else may be there by now."""
        with self._lock:
            return frozenset(self._met.get((_key(node), identity), ()))

    def forget(self, node: Node, identity: FileIdentity) -> None:
        """Another file will take the place of this one."""
        if not node.may_have_other_names:
            return
        with self._lock:
            # Names of it that are met later must not be taken for the new one.
            self._replaced.add((_key(node), identity))
            self._met.pop((_key(node), identity), None)
            named, _ = self._files.get(_key(node), (None, 0))
            if named is not None and named.identity == identity:
                del self._files[_key(node)]

    def of(self, node: Node) -> Named | None:
        """The file that is called so too."""
        if not node.may_have_other_names:
            return None
        with self._lock:
            named, left = self._files.pop(_key(node), (None, 0))
            if named is not None and left > 1:
                self._files[_key(node)] = named, left - 1
        return named


def _key(node: Node) -> _Key:
    # With the content: a file that changed while it was backed up has another one under each name.
    return node.device_id, node.inode, node.type, node.mtime, node.content or ()
