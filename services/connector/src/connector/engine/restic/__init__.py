"""The engine that runs restic (0.17 or later) as a child process."""

from connector.engine.restic.adapter import ResticEngine
from connector.engine.restic.environment import ResticSettings

__all__ = ["ResticEngine", "ResticSettings"]
