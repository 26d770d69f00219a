"""Settings of the assignment service."""

from datetime import timedelta

from chassis.runtime.settings import CommonSettings
from pydantic import Field

# Longer than a weekend: work for a branch whose machines are off for so long waits for them. Were its pool forgotten,
# the work would go to the default pool, which cannot do it and lets it fail.
POOL_SILENCE = timedelta(days=3)


class Settings(CommonSettings):
    """Read once from the environment."""

    pool_silence_seconds: float = Field(
        default=POOL_SILENCE.total_seconds(),
        gt=0,
        description="Seconds after which a pool of workers that announces nothing gets no more work",
    )
    test_changes: bool = Field(
        default=True, description="Whether the connection of a connector is tested after each change of it"
    )
