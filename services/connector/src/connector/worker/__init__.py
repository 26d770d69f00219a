"""Takes work, keeps it, brings it to its end."""

from connector.worker.lanes import working
from connector.worker.runner import Runner

__all__ = ["Runner", "working"]
