"""Takes work, keeps it, brings it to its end."""

from connector.worker.runner import Runner
from connector.worker.slots import working

__all__ = ["Runner", "working"]
