"""Settings common to all processes, read once from the environment."""

import base64
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from contracts.errors import Invalid
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

UpperCase = BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text)
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UpperCase]
KafkaSecurity = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], UpperCase]
KafkaMechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], UpperCase]


class CommonSettings(BaseSettings):
    """Read from variables with the prefix `CAIRN_`. Subclasses add a service's own."""

    model_config = SettingsConfigDict(env_prefix="CAIRN_", frozen=True, extra="ignore", populate_by_name=True)

    kafka: str = Field(default="127.0.0.1:9092", description="Kafka bootstrap servers, comma-separated")
    kafka_security: KafkaSecurity = Field(
        default="PLAINTEXT", description="How Kafka is spoken to: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_mechanism: KafkaMechanism = Field(
        default="SCRAM-SHA-512", description="How credentials are shown: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"
    )
    kafka_username: str = Field(default="", description="User of Kafka, where security is SASL")
    kafka_password_file: Path | None = Field(default=None, description="File whose first line is that user's password")
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities that vouch for Kafka; those of the system if left out"
    )
    mongodb_uri: str = Field(default="mongodb://127.0.0.1:27017", description="MongoDB connection string")
    http_host: str = Field(default="127.0.0.1", description="Address the HTTP port binds to")
    http_port: int = Field(default=0, ge=0, le=65535, description="HTTP port; 0 picks a free one")
    instance: str = Field(default_factory=socket.gethostname, description="Name of this process among its like")
    database_prefix: str = Field(default="cairn_", description="Before the service's name: its database")
    topic_prefix: str = Field(
        default="", description="Before the name of every topic and consumer group: several Cairns on one Kafka"
    )
    topic_partitions: int = Field(default=8, ge=1, description="Partitions of the topics this process creates")
    topic_replicas: int = Field(default=1, ge=1, description="Replicas of the topics this process creates")
    handlers_at_once: int = Field(
        default=8,
        ge=1,
        # Operators have set it by this name since before the field had its present one.
        validation_alias="CAIRN_LANES",
        description="Messages handled at once; those with equal keys always in order",
    )
    trusted_proxies: str = Field(
        default="", description="Addresses of reverse proxies whose X-Forwarded-For is believed, comma-separated"
    )
    session_timeout_seconds: float = Field(default=10, gt=0, description="Silence after which Kafka drops a consumer")
    outcome_timeout_seconds: float = Field(default=10, gt=0, description="How long a command's outcome is waited for")
    service_key_file: Path = Field(description="File with the key that signs internal calls: 32 bytes, base64")
    log_level: LogLevel = Field(default="INFO", description="Least level that is logged")
    otlp_endpoint: str = Field(
        default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT", description="OTLP over HTTP; empty: no export"
    )
    url_gateway: str = Field(default="http://127.0.0.1:8080", description="Where the gateway answers")
    url_catalog: str = Field(default="http://127.0.0.1:8081", description="Where the catalog answers")
    url_assignment: str = Field(default="http://127.0.0.1:8082", description="Where the assignment service answers")
    url_connector: str = Field(default="http://127.0.0.1:8083", description="Where a connector worker answers")
    url_scheduler: str = Field(default="http://127.0.0.1:8084", description="Where the scheduler answers")
    url_restore_index: str = Field(default="http://127.0.0.1:8085", description="Where the restore index answers")

    def on_kafka(self, name: str) -> str:
        """A topic or consumer group as Kafka knows it."""
        return f"{self.topic_prefix}{name}"

    @classmethod
    def read(cls) -> Self:
        """Settings from the environment. Raises `Invalid` naming the variables at fault, never their values."""
        from pydantic import ValidationError

        try:
            return cls()
        except ValidationError as error:
            # Names alone, and without the cause: pydantic's error quotes the values, which may be secrets.
            fields = {str(each["loc"][0]).upper() for each in error.errors(include_input=False)}
            # A field with an alias is named by it: that is the whole name of its variable.
            names = sorted(f"CAIRN_{field.removeprefix('CAIRN_')}" for field in fields)
            raise Invalid("settings_invalid", f"missing or unusable settings: {', '.join(names)}") from None


def read_key(path: Path) -> bytes:
    """The 32-byte key in a file of base64 text. Raises `Invalid` naming the file when it holds anything else."""
    try:
        key = base64.b64decode(path.read_text().strip(), validate=True)
    except (OSError, ValueError) as error:
        raise Invalid("key_unreadable", f"no readable key in {path}") from error
    if len(key) != 32:
        raise Invalid("key_unreadable", f"the key in {path} is not 32 bytes long")
    return key
