"""Names of the Kafka topics and what they carry."""

import re

CATALOG_COMMANDS = "cairn.catalog.commands"
CATALOG_EVENTS = "cairn.catalog.events"
ASSIGNMENT_COMMANDS = "cairn.assignment.commands"
ASSIGNMENT_EVENTS = "cairn.assignment.events"
CONNECTOR_COMMANDS = "cairn.connector.commands"
CONNECTOR_EVENTS = "cairn.connector.events"
SCHEDULER_COMMANDS = "cairn.scheduler.commands"
SCHEDULER_EVENTS = "cairn.scheduler.events"
RESTORE_INDEX_COMMANDS = "cairn.restore-index.commands"
RESTORE_INDEX_EVENTS = "cairn.restore-index.events"
LISTINGS = "cairn.listings"
OUTCOMES = "cairn.outcomes"
DEFAULT_POOL = "default"
_POOL_NAME = re.compile(r"(?!(.*\.)?dlq\Z)[A-Za-z0-9._-]{1,100}", re.ASCII)


def is_pool_name(name: str) -> bool:
    """Whether a pool can be called so: its topics are named after it, and are none of dead letters."""
    return _POOL_NAME.fullmatch(name) is not None


def connector_commands(pool: str = DEFAULT_POOL) -> str:
    """Topic with the commands to the workers of one pool."""
    # The topic had no pool in its name before there were pools, and installations have it as it is.
    return CONNECTOR_COMMANDS if pool == DEFAULT_POOL else f"{CONNECTOR_COMMANDS}.{pool}"


def tasks(pool: str = DEFAULT_POOL) -> str:
    """Topic with the work of one pool of workers."""
    return f"cairn.tasks.{pool}"


def dead_letters(topic: str) -> str:
    """Topic of the dead letters of `topic`: messages that could not be handled."""
    return f"{topic}.dlq"


# The topics that exist in every installation; which pools there are beside the default one is not known here.
ALL = (
    CATALOG_COMMANDS,
    CATALOG_EVENTS,
    ASSIGNMENT_COMMANDS,
    ASSIGNMENT_EVENTS,
    CONNECTOR_COMMANDS,
    CONNECTOR_EVENTS,
    SCHEDULER_COMMANDS,
    SCHEDULER_EVENTS,
    RESTORE_INDEX_COMMANDS,
    RESTORE_INDEX_EVENTS,
    LISTINGS,
    OUTCOMES,
    tasks(),
)
