"""Settings of the gateway, read once from the environment."""

from pathlib import Path

from chassis.runtime.settings import CommonSettings
from pydantic import Field


class Settings(CommonSettings):
    """`url_gateway` is the address that clients are told."""

    master_key_file: Path = Field(description="File with the key that seals data keys: 32 bytes, base64")
    badge_key_file: Path = Field(description="File with the key that signs badges: 32 bytes, base64")
    credentials_file: Path = Field(description="File (mode 0600) with the owner's credentials, made at first start")
    owner_email: str = Field(default="owner@cairn.local", description="Address of the owner made at first start")
    badge_ttl_seconds: int = Field(default=3600, gt=0, description="Seconds after which a badge expires")
    rights_cache_seconds: float = Field(default=2, description="How long a changed grant may go unnoticed")
    initialize_timeout_seconds: float = Field(
        default=27,
        description="How long stores/create, stores/refresh and a test are waited for; clients give up at 30 s",
    )
    audit_days: int = Field(default=400, ge=1, description="Days after which entries of the audit log are removed")
    max_body_bytes: int = Field(
        default=256 * 1024, description="Largest request body that is read; what is sealed of it must fit a message"
    )
