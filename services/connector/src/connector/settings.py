"""Settings of a connector worker."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

from chassis.runtime.settings import CommonSettings
from contracts.topics import DEFAULT_POOL, is_pool_name
from pydantic import Field, field_validator
from pydantic_settings import NoDecode


class Settings(CommonSettings):
    """Beside the common ones: what a worker may touch, how much it does at once, where its tools are."""

    master_key_file: Path = Field(
        description="File with the master keys that open secrets, one a line: 32 bytes, base64"
    )
    allowed_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Directories that sources and stores on disk must lie in, joined by `:`; empty: none"
    )
    state_dir: Path | None = Field(default=None, description="Cairn's own state; never backed up, never a store")
    hooks_dir: Path | None = Field(
        default=None, description="Programs that may be run before and after jobs, by their names; unset: none"
    )
    work_dir: Path = Field(
        default=Path(tempfile.gettempdir()) / "cairn-connector", description="Scratch files, caches, private files"
    )
    restic: str = Field(default="restic", description="The restic executable")
    restic_garbage_percent: int = Field(
        default=150,
        ge=0,
        description="`GOGC` of a backup where 4 GiB of memory are available; 0: restic's own",
    )
    restore_processes: int = Field(
        default=min(4, len(os.sched_getaffinity(0))),
        ge=0,
        le=32,
        description="Processes that write the small files of a restore to a directory; 0: the worker alone",
    )
    rclone: str = Field(default="rclone", description="The rclone executable")
    pool: str = Field(
        default=DEFAULT_POOL,
        description="Pool of workers this one belongs to: up to 100 letters, digits, dots, hyphens and underscores",
    )
    slots: int = Field(default=2, ge=1, description="Tasks run at once")
    store_slots: int = Field(
        default=8, ge=0, description="Tasks that reach one store at once, over all workers; 0: any number"
    )
    command_slots: int = Field(default=4, ge=1, description="Connection tests and initializations run at once")
    change_test_slots: int = Field(
        default=2, ge=1, description="Connection tests run at once that follow changes of connectors"
    )
    stuck_seconds: float = Field(
        default=900, ge=0, description="How long an engine does nothing before it is said to be stuck; 0: never"
    )
    stuck_ends: bool = Field(default=False, description="Whether a stuck engine is ended, and its job fails")
    lease_seconds: float = Field(default=15, gt=1, description="Silence after which another worker takes over")
    poll_seconds: float = Field(default=1, gt=0, description="Pause between looks for work nobody was told about")
    app_patience_seconds: float = Field(default=10, description="How long an app's revision is waited for")
    browsable_patience_seconds: float = Field(default=60, description="How long a backup waits for the restore index")
    refresh_seconds: float = Field(
        default=3600, ge=0, description="How often each store is compared with the restore index; 0: only with a reason"
    )
    open_stores: int = Field(default=8, ge=1, description="Repositories kept open for reading")
    store_cache_bytes: int = Field(default=64 << 20, description="Contents kept in memory per open repository")

    @field_validator("pool")
    @classmethod
    def _name_topics(cls, value: str) -> str:
        if not is_pool_name(value):
            raise ValueError("no topic can be named after it")
        return value

    @field_validator("hooks_dir", mode="before")
    @classmethod
    def _unset(cls, value: object) -> object:
        # As a path an empty text would be the directory that the worker happens to be in.
        return value or None

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(Path(p) for p in value.split(os.pathsep) if p) if isinstance(value, str) else value
