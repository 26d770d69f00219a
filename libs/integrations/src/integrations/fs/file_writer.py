"""Writes files of a restore where only the directories that they go into are known, as in a process of its own."""

from collections.abc import Iterator

from restic_reader import Node

from integrations.fs.file_attributes import Attributes
from integrations.fs.new_files import NewFiles
from integrations.sdk.ports.shared_destination import Compare, Place, Put


class FileWriter:
    """See `sdk.ports.shared_destination.FileWriter`."""

    def __init__(self, attributes: Attributes, *, job_id: str, attempt: int) -> None:
        self._new = NewFiles(attributes, job_id=job_id, attempt=attempt)

    def write(self, node: Node, name: bytes, place: Place, pieces: Iterator[bytes], *, compare: Compare | None) -> Put:
        """See `FileWriter.write`."""
        return self._new.put(node, name, place, pieces, compare=compare)
