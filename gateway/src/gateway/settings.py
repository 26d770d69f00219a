"""Settings of the gateway, read once from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from chassis.runtime.settings import CommonSettings
from contracts.topics import is_pool_name
from pydantic import Field, field_validator
from pydantic_settings import NoDecode


class Settings(CommonSettings):
    """`url_gateway` is the address under which clients find the gateway."""

    master_key_file: Path = Field(description="File with the keys that seal data keys, one a line: 32 bytes, base64")
    # A session token is a badge in the API and in the names of variables, which clients and operators rely on.
    session_token_key_file: Path = Field(
        validation_alias="CAIRN_BADGE_KEY_FILE",
        description="File with the key that signs session tokens: 32 bytes, base64",
    )
    credentials_file: Path = Field(description="File (mode 0600) with the owner's credentials, made at first start")
    owner_email: str = Field(default="owner@cairn.local", description="Address of the owner made at first start")
    session_token_ttl_seconds: int = Field(
        default=3600,
        gt=0,
        validation_alias="CAIRN_BADGE_TTL_SECONDS",
        description="Seconds after which a session token expires",
    )
    rights_cache_seconds: float = Field(default=2, description="How long a changed grant may go unnoticed")
    initialize_timeout_seconds: float = Field(
        default=27,
        description="How long stores/create, stores/refresh and a test are waited for; clients give up at 30 s",
    )
    # Not decoded: pydantic would read a mapping as JSON, and pairs are easier to write into an environment file.
    url_connector_pools: Annotated[Mapping[str, str], NoDecode] = Field(
        default_factory=dict,
        description="Where workers of pools other than the default one answer: `pool=url`, joined by commas",
    )
    stream_heartbeat_seconds: float = Field(
        default=15, gt=0, description="How often a silent live stream says that it lives"
    )
    stream_rights_seconds: float = Field(
        default=10, gt=0, description="How often the badge and the rights of an open live stream are looked at"
    )
    streams_per_organization: int = Field(
        default=2000, ge=1, description="Live streams open at once in one organization, in this process"
    )
    streams_per_credential: int = Field(
        default=2000, ge=1, description="Live streams open at once with one API key, or by one account, in this process"
    )
    audit_days: int = Field(default=400, ge=1, description="Days after which entries of the audit log are removed")
    max_body_bytes: int = Field(
        default=256 * 1024, description="Largest request body that is read; what is sealed of it must fit a message"
    )

    max_import_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1, description="Largest list of resources that is imported"
    )
    imports_at_once: int = Field(
        default=2, ge=1, description="Lists of resources read at once, in this process; more are told to come later"
    )

    @field_validator("url_connector_pools", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if any(not is_pool_name(pool.strip()) or not url.strip() for pool, _, url in pairs):
            raise ValueError("must be `pool=url` pairs, joined by commas")
        return {pool.strip(): url.strip() for pool, _, url in pairs}
