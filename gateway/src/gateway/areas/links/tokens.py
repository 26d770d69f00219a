"""Links that stand for one download: who signed it, what for, until when."""

import base64
import binascii
import hashlib
import hmac
import zlib
from datetime import datetime

from contracts.errors import Invalid, Unauthorized
from contracts.queries.connector import ArchiveFormat
from contracts.values import OrganizationId, Value
from pydantic import ValidationError

Format = ArchiveFormat
SHORTEST_SECONDS, DEFAULT_SECONDS, LONGEST_SECONDS = 1, 3600, 7 * 86_400
# Servers between us and a browser take lines of 8 KiB, as a rule.
LONGEST_URL = 7500

_PURPOSE = b"cairn download link 1\0"
_MAC_BYTES = 32
_LONGEST_PAYLOAD = 1 << 20


class Link(Value):
    """What a link permits: one file, or one archive of a selection, of one restore point, to one account's rights."""

    organization_id: OrganizationId
    account_id: str
    key_id: str | None = None
    """The API key whose badge made it, if one did; without that it permits nothing."""
    snapshot_id: str
    paths: tuple[str, ...]
    """Percent-encoded bytes."""
    format: Format | None
    """None: the one path is that of a file."""
    expires_at: int
    """Seconds since 1970."""


def link_key(session_token_key: bytes) -> bytes:
    """The key that signs links: another one than that of badges, so that neither passes for the other."""
    return hmac.digest(session_token_key, b"cairn download links", hashlib.sha256)


def sign(link: Link, key: bytes) -> str:
    """The link as text for a URL."""
    payload = zlib.compress(link.model_dump_json(exclude_defaults=True).encode(), 9)
    return base64.urlsafe_b64encode(_mac(key, payload) + payload).rstrip(b"=").decode()


def read(token: str, key: bytes, now: datetime) -> Link:
    """The link that a text stands for. Raises `Unauthorized`: `link_expired`, or `link_invalid` for whatever else."""
    link = _opened(token, key)
    if link is None:
        raise invalid()
    if link.expires_at <= now.timestamp():
        raise Unauthorized("link_expired", "This link has expired; ask whoever gave it to you for another one.")
    return link


def invalid() -> Unauthorized:
    """The refusal of a link that does not permit what it is used for."""
    return Unauthorized(
        "link_invalid", "This link is not valid: it was altered, is for something else, or was cut off."
    )


def too_long() -> Invalid:
    """The refusal of a selection that makes too long a URL."""
    detail = "The selection is too large for a link; choose the folder that holds it, or make several links."
    return Invalid("link_too_long", detail, fields={"paths": f"the URL would exceed {LONGEST_URL} characters"})


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + payload, hashlib.sha256)


def _opened(token: str, key: bytes) -> Link | None:
    # Checked before anything is decoded, as anybody may send a token.
    if len(token) > LONGEST_URL or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, payload)):
        return None
    try:
        # The payload is signed, so nobody else made it; the limit holds should the key ever leak.
        return Link.model_validate_json(zlib.decompressobj().decompress(payload, _LONGEST_PAYLOAD))
    except (zlib.error, ValidationError):
        return None
