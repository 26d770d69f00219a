"""Writes files of a restore where only the directories that they go into are known, as in a process of its own."""

from collections.abc import Iterator

from restic_reader import Node

from integrations.fs.file_attributes import Attributes
from integrations.fs.new_files import NewFiles, is_there
from integrations.sdk.ports.destination import NotWritten
from integrations.sdk.ports.shared_destination import Compare, Place


class FileWriter:
    """See `sdk.ports.shared_destination.FileWriter`."""

    def __init__(self, attributes: Attributes, *, job_id: str, attempt: int) -> None:
        self._new = NewFiles(attributes, job_id=job_id, attempt=attempt)

    def write(self, node: Node, name: bytes, place: Place, pieces: Iterator[bytes], *, compare: Compare | None) -> bool:
        """See `FileWriter.write`."""
        was_there = is_there(name, place.descriptor)
        if lacking := self._new.put(node, name, place, pieces, compare=compare):
            raise NotWritten(lacking)
        return was_there
