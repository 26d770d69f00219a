"""The environment of every process that we start."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cairn_local.paths import StateDir
from cairn_local.ports import LOOPBACK
from cairn_local.services import Service

MARKER = "CAIRN_SUPERVISED"
INSTANCE = "local-1"
KEY_VARIABLES = {
    "master": "CAIRN_MASTER_KEY_FILE",
    "service": "CAIRN_SERVICE_KEY_FILE",
    "badge": "CAIRN_BADGE_KEY_FILE",
}
# PYTHONPATH: a caller who runs our packages from a checkout, as tests do, has them found by it.
_SYSTEM = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_PASSED_ON = ("OTEL_", "CAIRN_")
KAFKA_ACCESS = "CAIRN_KAFKA_"


@dataclass(frozen=True)
class SharedSettings:
    """What all services have in their environment."""

    kafka: str
    mongodb_uri: str
    restic: str
    rclone: str
    ports: Mapping[str, int]
    kafka_access: Mapping[str, str] = field(default_factory=dict)


def named_kafka_access(environ: Mapping[str, str]) -> dict[str, str]:
    """How to reach the Kafka that the caller names: the caller's settings by their names after `kafka_`."""
    return {name.removeprefix(KAFKA_ACCESS).lower(): environ[name] for name in environ if name.startswith(KAFKA_ACCESS)}


def system_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What any program needs, and nothing else of the caller's: it may hold secrets."""
    return {name: value for name, value in environ.items() if name in _SYSTEM or name.startswith("LC_")}


def base_environment(state: StateDir, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a server, with the mark by which left over processes are found."""
    return system_environment(environ) | {MARKER: str(state.root)}


def proxy_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's proxies, never used for what listens on this machine."""
    # Both spellings: some programs, such as curl, read `http_proxy` in small letters only.
    proxies = {name: environ[name] for name in _PROXIES if environ.get(name)}
    direct = ",".join(filter(None, (environ.get("no_proxy") or environ.get("NO_PROXY"), "localhost", LOOPBACK)))
    return proxies | {"NO_PROXY": direct, "no_proxy": direct} if proxies else {}


DEFAULTS = {"CAIRN_ALLOWED_ROOTS": "/"}
"""On one's own machine workers may touch every directory but Cairn's own state, unless the caller says otherwise."""


def service_environment(
    service: Service,
    shared: SharedSettings,
    *,
    state: StateDir,
    services: Sequence[Service],
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The environment of one of our services. The caller's `OTEL_` and `CAIRN_` variables go in, ours prevail."""
    withheld = KEY_VARIABLES.values()
    passed_on = {
        name: value
        for name, value in environ.items()
        if name.startswith(_PASSED_ON) and name not in withheld and not name.startswith(KAFKA_ACCESS)
    }
    access = {KAFKA_ACCESS + name.upper(): value for name, value in shared.kafka_access.items()}
    urls = {other.url_variable: f"http://{LOOPBACK}:{shared.ports[other.name]}" for other in services}
    keys = {KEY_VARIABLES[key]: str(state.key(key)) for key in service.keys}
    proxies = proxy_environment(environ) if service.proxied else {}
    own = {
        "CAIRN_KAFKA": shared.kafka,
        "CAIRN_MONGODB_URI": shared.mongodb_uri,
        "CAIRN_RESTIC": shared.restic,
        "CAIRN_RCLONE": shared.rclone,
        "CAIRN_SERVICE_NAME": service.name,
        "CAIRN_INSTANCE": INSTANCE,
        "CAIRN_HTTP_HOST": LOOPBACK,
        "CAIRN_HTTP_PORT": str(shared.ports[service.name]),
        "CAIRN_STATE_DIR": str(state.root),
        "CAIRN_WORK_DIR": str(state.data / "connector"),
        "CAIRN_CREDENTIALS_FILE": str(state.credentials),
        # A log line that waits in a buffer is missing just when somebody looks for it.
        "PYTHONUNBUFFERED": "1",
    }
    return (
        base_environment(state, environ)
        | DEFAULTS
        | proxies
        | passed_on
        | urls
        | keys
        | access
        | own
        | {MARKER: str(state.root)}
    )
