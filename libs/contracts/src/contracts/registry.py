"""Every message of Cairn, by its CloudEvents type."""

from contracts.messages import (
    assignment,
    bundles,
    catalog,
    classification,
    imports,
    installations,
    outcomes,
    protection,
    resealing,
    restore_index,
    scheduler,
)
from contracts.messages.base import Command, Event, Message
from contracts.messages.connector import connection_tests, offers, stores, task_events

_CONNECTOR = (connection_tests, offers, stores, task_events)
_MODULES = (
    assignment,
    bundles,
    catalog,
    classification,
    imports,
    *_CONNECTOR,
    installations,
    outcomes,
    protection,
    resealing,
    restore_index,
    scheduler,
)


def _messages_of(module: object) -> list[type[Message]]:
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Message)]
    return [m for m in found if "TYPE" in vars(m)]


MESSAGES: dict[str, type[Message]] = {
    message.TYPE: message
    for module in _MODULES
    for message in sorted(_messages_of(module), key=lambda m: m.TYPE)
    # A module also sees the messages that it imports; each belongs to the module that defines it.
    if message.__module__ == getattr(module, "__name__", None)
}


def commands() -> list[type[Command]]:
    """All commands, sorted by type."""
    return [m for _, m in sorted(MESSAGES.items()) if issubclass(m, Command)]


def events() -> list[type[Event]]:
    """All events, sorted by type."""
    return [m for _, m in sorted(MESSAGES.items()) if issubclass(m, Event)]
