"""Where a bucket is and with which keys, read from an app's configuration."""

import re
import ssl
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from contracts.endpoints import is_identifier

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.errors import ConfigurationUnusable

DEFAULT_REGION = "us-east-1"
_NO_TEXT = ("Cc", "Cs")
"""Unicode's categories of control characters and of halves of surrogate pairs."""
# AWS refuses signatures for another region than the bucket's, and its host names tell which that is.
_AWS_REGION = re.compile(r"s3[.-](?:dualstack\.)?(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9])\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True, kw_only=True)
class S3Address:
    """A bucket, or the part of it below a prefix. Its `repr` shows no key."""

    scheme: str
    host: str
    port: int
    bucket: str
    prefix: str
    """Without slashes at its ends; empty for the whole bucket."""
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    insecure: bool = False
    virtual_host: bool = False
    storage_class: str = ""

    @property
    def url(self) -> str:
        """The endpoint, with the port where it is not the usual one."""
        return f"{self.scheme}://{self._authority(self.host)}"

    @property
    def bucket_url(self) -> str:
        """The endpoint as obstore wants it: with the bucket in the host name where that is asked for."""
        return f"{self.scheme}://{self._authority(f'{self.bucket}.{self.host}')}" if self.virtual_host else self.url

    @property
    def path(self) -> str:
        """`bucket` or `bucket/prefix`."""
        return f"{self.bucket}/{self.prefix}".rstrip("/")

    def _authority(self, host: str) -> str:
        shown = f"[{host}]" if ":" in host else host
        usual = {"http": 80, "https": 443}[self.scheme]
        return shown if self.port == usual else f"{shown}:{self.port}"


def read_address(configuration: AppConfiguration) -> S3Address:
    """The bucket of an app. Raises `ConfigurationUnusable`, naming the field or the endpoint at fault."""
    endpoint = _split(configuration)
    scheme = endpoint.scheme or "https"
    if "use_tls" in configuration.fields and configuration.text("use_tls"):
        scheme = "https" if configuration.switch("use_tls") else "http"
    bucket, prefix = _root(configuration)
    host = endpoint.hostname or ""
    return S3Address(
        scheme=scheme,
        host=host,
        port=_port(configuration, endpoint) or (443 if scheme == "https" else 80),
        bucket=bucket,
        prefix=prefix,
        region=configuration.text("region") or _region_of(host),
        access_key=configuration.text("access_key"),
        secret_key=configuration.text("secret_access_key"),
        insecure=configuration.switch("tls_insecure_no_verify"),
        virtual_host=configuration.switch("virtual_host"),
        storage_class=configuration.text("storage_class"),
    )


def within(address: S3Address, folder: str) -> S3Address:
    """A folder of a bucket. Raises `ConfigurationUnusable` for a name that no prefix can have."""
    if any(unicodedata.category(character) in _NO_TEXT for character in folder):
        raise ConfigurationUnusable("config.root", "The folder must not have control characters in it.")
    return replace(address, prefix="/".join(filter(None, (address.prefix, folder))))


def _root(configuration: AppConfiguration) -> tuple[str, str]:
    """Bucket and prefix. Engine and reader agree only on prefixes that are plain paths: others end up elsewhere."""
    bucket, _, prefix = configuration.text("root").strip("/").partition("/")
    if not bucket:
        raise ConfigurationUnusable("fields.root", "The root names no bucket.")
    if any(part in ("", ".", "..") for part in prefix.split("/")[: len(prefix)]):
        raise ConfigurationUnusable("fields.root", "The root must not have empty parts, `.` or `..` in it.")
    if any(unicodedata.category(character) in _NO_TEXT for character in prefix):
        raise ConfigurationUnusable("fields.root", "The root must not have control characters in it.")
    return bucket, prefix


def _split(configuration: AppConfiguration) -> SplitResult:
    named = [each.strip() for each in configuration.endpoints if each.strip()]
    # Identifiers among them name the bucket or what else a provider knows, not where it is reached.
    endpoint = next((each for each in named if not is_identifier(each)), next(iter(named), ""))
    if not endpoint:
        raise ConfigurationUnusable("endpoints", "Neither the connector nor its resource has an endpoint.")
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        usable = _is_host(parts)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationUnusable("endpoints", "The endpoint must be a host, with or without a port.")
    return parts


def _is_host(parts: SplitResult) -> bool:
    """Whether an address is that of a host and nothing more. Raises `ValueError` for a port that is none."""
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        return False
    return bool(parts.hostname) and parts.scheme in ("", "http", "https") and parts.port != 0


def _port(configuration: AppConfiguration, endpoint: SplitResult) -> int | None:
    text = configuration.text("port")
    if not text:
        return endpoint.port
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigurationUnusable("fields.port", "The port must be a number from 1 to 65535.")
    return int(text)


def _region_of(host: str) -> str:
    found = _AWS_REGION.fullmatch(host)
    return found["region"] if found else DEFAULT_REGION


def client_options(address: S3Address, *, patient: bool) -> dict[str, Any]:
    """How obstore reaches the bucket: patiently for reading, or with one quick try for a test.

    What variables of the worker's environment say about AWS has no part in it.
    """
    client: dict[str, Any] = {"allow_http": address.scheme == "http", "connect_timeout": "5s"}
    # Without patience: all steps of a connection test together have 20 s.
    client["timeout"] = "60s" if patient else "8s"
    if address.insecure:
        client["allow_invalid_certificates"] = True
    return {
        "endpoint": address.bucket_url,
        "region": address.region,
        "credential_provider": lambda: _credentials(address),
        # Else obstore would take AWS_SKIP_SIGNATURE from the environment of the worker.
        "skip_signature": False,
        "virtual_hosted_style_request": address.virtual_host,
        "client_options": client,
        "retry_config": {"max_retries": 3 if patient else 0},
    }


def tls_context(address: S3Address) -> ssl.SSLContext:
    """Whose certificates are trusted where the bucket is reached without obstore."""
    context = ssl.create_default_context()
    if address.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _credentials(address: S3Address) -> dict[str, Any]:
    return {
        "access_key_id": address.access_key,
        "secret_access_key": address.secret_key,
        "token": None,
        "expires_at": None,
    }
