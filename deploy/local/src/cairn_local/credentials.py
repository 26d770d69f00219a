"""The file with the first owner's credentials. The gateway writes it; we show it once and keep its address right."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cairn_local.paths import write_private


@dataclass(frozen=True)
class Credentials:
    """How to reach the gateway as the first owner."""

    url: str
    email: str
    password: str
    api_key: str
    organization_id: str


def load_credentials(path: Path) -> Credentials | None:
    """The credentials; None when there is no file, or not one with these fields."""
    try:
        # People edit this file; one that is broken must not keep the platform from starting.
        content = json.loads(path.read_text())
        return Credentials(**{name: str(content[name]) for name in Credentials.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def refresh_url(path: Path, url: str) -> None:
    """Set the address in the file when the gateway has moved to another port."""
    credentials = load_credentials(path)
    if credentials and credentials.url != url:
        write_private(path, json.dumps(asdict(credentials) | {"url": url}, indent=2) + "\n", durable=True)
