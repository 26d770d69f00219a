import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chassis.messaging.kafka import client_arguments
from chassis.runtime.settings import CommonSettings
from contracts.errors import Invalid
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding


def settings(**facts: object) -> CommonSettings:
    return CommonSettings(kafka="one:1,two:2", service_key_file=Path("key"), **facts)  # type: ignore[arg-type]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("let me in\n")
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    path = tmp_path / "ca.pem"
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path.write_bytes(signed.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


def test_servers_alone_ask_for_nothing() -> None:
    arguments = client_arguments(settings())
    assert arguments == {"bootstrap_servers": "one:1,two:2", "security_protocol": "PLAINTEXT", "ssl_context": None}


def test_credentials_reach_clients(password_file: Path) -> None:
    arguments = client_arguments(
        settings(kafka_security="sasl_plaintext", kafka_username="me", kafka_password_file=password_file)
    )
    assert arguments == {
        "bootstrap_servers": "one:1,two:2",
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "let me in",
    }


@pytest.mark.parametrize(
    ("told", "mechanism"),
    [("PLAIN", "PLAIN"), ("scram-sha-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")],
)
def test_mechanism_is_chosen(password_file: Path, told: str, mechanism: str) -> None:
    access = {"kafka_username": "me", "kafka_password_file": password_file, "kafka_mechanism": told}
    assert client_arguments(settings(kafka_security="SASL_SSL", **access))["sasl_mechanism"] == mechanism


@pytest.mark.parametrize("security", ["SSL", "SASL_SSL"])
def test_certificate_and_host_are_checked_against_the_named_authority(
    password_file: Path, authority: Path, security: str
) -> None:
    access = {"kafka_username": "me", "kafka_password_file": password_file, "kafka_ca_file": authority}
    arguments = client_arguments(settings(kafka_security=security, **access))
    context = arguments["ssl_context"]
    assert arguments["security_protocol"] == security
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("given", [{}, {"kafka_username": "me"}, {"kafka_password_file": Path("/absent")}])
def test_missing_credentials_are_named(given: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="CAIRN_KAFKA_USERNAME and CAIRN_KAFKA_PASSWORD_FILE"):
        client_arguments(settings(kafka_security="SASL_SSL", **given))


@pytest.mark.parametrize("content", [None, "", "\nsecond"])
def test_file_without_a_password_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Invalid, match=str(path)):
        client_arguments(settings(kafka_security="SASL_PLAINTEXT", kafka_username="me", kafka_password_file=path))


def test_file_without_certificates_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="absent"):
        client_arguments(settings(kafka_security="SSL", kafka_ca_file=tmp_path / "absent"))
