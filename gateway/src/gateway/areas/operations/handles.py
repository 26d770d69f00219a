"""What clients call the object of a command."""

from contracts.messages.base import Message

# The first that a command has: one that retries a job names its run and the former job too, one that runs a task its
# job, one about a resource its inventory, and all their organization, which only a setting of it is about.
_HANDLES = (
    *("new_job_id", "run_id", "resource_id", "bundle_id", "inventory_id", "app_id"),
    *("job_id", "store_id", "integration_id", "draft_id", "organization_id"),
)


def handle_of(command: Message) -> str:
    """Id by which a client names what a command is about; of a creation, the id of the new object."""
    return next(str(getattr(command, name)) for name in _HANDLES if name in type(command).model_fields)
