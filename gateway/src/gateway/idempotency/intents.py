"""Ids that a repeated request chooses again."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import TypedDict


class CommandIds(TypedDict):
    """Ids of a command."""

    command_id: str
    correlation_id: str


@dataclass(frozen=True)
class Intent:
    """What one request wants done, however often it is sent."""

    command_id: str
    key: str | None = None

    @property
    def ids(self) -> CommandIds:
        """How its command is named; all that follows from it carries the client's own key, when there is one."""
        return {"command_id": self.command_id, "correlation_id": self.key or self.command_id}

    def id_for(self, what: str) -> str:
        """Id of the object that this request makes: the same each time, and as old as the command."""
        return sibling_id(self.command_id, what)


def sibling_id(made: str, what: str) -> str:
    """A UUIDv7 with the time of `made` (a UUIDv7) whose other bits follow from `made` and `what`."""
    # Ids sort by their time (UUIDv7): what a command makes is as old as the command, however often it is sent.
    milliseconds = uuid.UUID(made).int >> 80
    noise = int.from_bytes(hashlib.sha256(f"{made}\x1f{what}".encode()).digest()[:10])
    bits = milliseconds << 80 | (noise & ((1 << 80) - 1))
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=bits))


LONGEST_KEY = 255

# Bytes of a header are read as Latin-1, and HTTP takes spaces around a value off.
KEY_PATTERN = "^[!-~\u00a1-\u00ff]([ -~\u0080-\u00ff]*[!-~\u00a1-\u00ff])?$"
