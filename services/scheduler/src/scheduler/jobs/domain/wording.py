"""The words of a job's log."""

from contracts.task_types.base import Result
from contracts.tasks import Task


def describe_task(task: Task) -> str:
    """What should happen, in one line: `backup of Photos to Vault`."""
    target = f" to {task.target.name}" if task.target else ""
    return f"{task.type} of {task.origin.name}{target}"


def describe_success(result: Result | None) -> str:
    """How a job ended well, in one line."""
    words = result.in_words() if result else ""
    return f"succeeded: {words}" if words else "succeeded"
