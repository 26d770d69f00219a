"""How clients connect to Kafka and authenticate: the one place that builds these arguments."""

import ssl
from pathlib import Path
from typing import Any

from contracts.errors import Invalid

from chassis.messaging.undecodable_headers import read_undecodable_names
from chassis.runtime.settings import CommonSettings


def client_arguments(settings: CommonSettings) -> dict[str, Any]:
    """Arguments for any aiokafka client: where the servers are, encryption and credentials.

    Raises `Invalid` naming the settings at fault. Whoever asks for these reads records whatever the names of their
    headers are.
    """
    read_undecodable_names()
    encrypted, authenticated = settings.kafka_security.endswith("SSL"), settings.kafka_security.startswith("SASL")
    return {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security,
        "ssl_context": _tls(settings.kafka_ca_file) if encrypted else None,
        **(_credentials(settings) if authenticated else {}),
    }


def _credentials(settings: CommonSettings) -> dict[str, str]:
    if not settings.kafka_username or settings.kafka_password_file is None:
        raise Invalid(
            "settings_invalid",
            f"CAIRN_KAFKA_SECURITY is {settings.kafka_security}: "
            "it needs CAIRN_KAFKA_USERNAME and CAIRN_KAFKA_PASSWORD_FILE.",
        )
    return {
        "sasl_mechanism": settings.kafka_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": read_password(settings.kafka_password_file),
    }


def read_password(path: Path) -> str:
    """The first line of a file. Raises `Invalid` naming the file when there is none."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise Invalid("password_unreadable", f"no readable password in {path}") from error
    if not lines or not lines[0]:
        raise Invalid("password_unreadable", f"the password file {path} is empty")
    return lines[0]


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Checks certificate and host name, against one's own authorities or those of the system."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Invalid("certificates_unreadable", f"no readable certificates in {ca_file}") from error
