"""Settings of the scheduler."""

from chassis.settings import CommonSettings


class Settings(CommonSettings):
    """Read once from the environment; the scheduler has none of its own yet."""
