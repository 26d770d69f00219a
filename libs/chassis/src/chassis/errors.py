"""Errors of the chassis itself; the kinds that all parts share are in `contracts.errors`."""

from contracts.errors import TemporaryError


class Unavailable(TemporaryError):
    """A server that Cairn depends on does not answer; worth waiting for much longer than other temporary errors."""


class Unanswered(Unavailable):
    """What became of a command is decided and kept, but could not be published."""


class LostRace(TemporaryError):
    """Another writer saved the document first; handle the message again."""

    def __init__(self, what: str) -> None:
        super().__init__("lost_race", f"{what} was changed meanwhile")
