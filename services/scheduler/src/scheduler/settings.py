"""Settings of the scheduler."""

from chassis.runtime.settings import CommonSettings
from pydantic import Field


class Settings(CommonSettings):
    """Read once from the environment."""

    look_seconds: float = Field(default=300, gt=0, description="Pause between two looks for jobs without news")
    silence_seconds: float = Field(
        default=1800, gt=0, description="How long a job is without news before workers are asked for it again"
    )
    job_retention_days: float = Field(default=0, ge=0, description="How long jobs are kept that are over; 0: for ever")
    job_log_retention_days: float = Field(default=0, ge=0, description="How long their logs are kept; 0: as the job")
    job_measures_retention_days: float = Field(
        default=0, ge=0, description="How long it is kept what they used, did and warned of; 0: as the job"
    )
    job_clean_up_seconds: float = Field(
        default=3600, gt=0, description="Pause between two looks for jobs that are kept long enough"
    )
    pack_seconds: float = Field(default=30, gt=0, description="Pause between two looks for jobs that are over")
