"""Settings of the assignment service."""

from chassis.runtime.settings import CommonSettings


class Settings(CommonSettings):
    """Read once from the environment. The service has none of its own yet."""
