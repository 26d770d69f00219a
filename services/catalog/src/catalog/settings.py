"""Settings of the catalog."""

from chassis.runtime.settings import CommonSettings
from pydantic import Field


class Settings(CommonSettings):
    """Read once from the environment."""

    removals_at_once: int = Field(
        default=16, ge=1, description="Resources removed at the same time when their inventory goes"
    )
