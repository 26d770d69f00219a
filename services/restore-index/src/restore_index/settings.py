"""Settings of the restore index."""

from chassis.runtime.settings import CommonSettings
from pydantic import Field


class Settings(CommonSettings):
    """Read once from the environment."""

    directory_cache_bytes: int = Field(
        default=64 << 20, ge=0, description="Packed directories kept in memory for browsing, in bytes"
    )
    order_cache_bytes: int = Field(
        default=32 << 20, ge=0, description="Orders of large directories kept in memory, 4 bytes an entry, in bytes"
    )
    sweep_grace_seconds: float = Field(
        default=900,
        ge=0,
        description="How long unreachable directories stay before they are marked, and again before they are deleted",
    )
    sweep_look_seconds: float = Field(default=60, gt=0, description="Pause between looks for stores with garbage")
    known_directories_kept: int = Field(
        default=2_000_000, ge=0, description="Directories whose ids are kept in memory, about 61 bytes each"
    )
    search_names_bytes: int = Field(
        default=128 << 20, ge=0, description="Packed names kept in memory for searches, in bytes: 7 to 15 an entry"
    )
    search_catalogue_bytes: int = Field(
        default=128 << 20,
        ge=0,
        description="Where names lie, kept in memory for the stores searched last, in bytes: about 80 a directory",
    )
