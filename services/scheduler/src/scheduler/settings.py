"""Settings of the scheduler."""

from chassis.runtime.settings import CommonSettings
from pydantic import Field


class Settings(CommonSettings):
    """Read once from the environment."""

    look_seconds: float = Field(default=300, gt=0, description="Pause between two looks for jobs without news")
    silence_seconds: float = Field(
        default=1800, gt=0, description="How long a job is without news before workers are asked for it again"
    )
