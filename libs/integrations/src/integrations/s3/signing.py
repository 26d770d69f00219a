"""Signatures of requests to S3 (AWS Signature Version 4, as the S3 API reference describes it).

obstore signs too, but takes only keys that are paths: not `x//y`, `./c` or `a/../b`.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from integrations.s3.address import S3Address

_ALGORITHM = "AWS4-HMAC-SHA256"
# Most requests have no body.
_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, kw_only=True)
class UnsignedRequest:
    """What a signature covers. All headers whose names begin with `x-amz-` have to be among them."""

    method: str = "GET"
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in small letters."""
    body: bytes = b""


def object_path(address: S3Address, key: str) -> str:
    """The path of an address with everything escaped that has to be; dots and slashes stay as they are."""
    folder = "" if address.virtual_host else f"/{address.bucket}"
    # Escaped once: S3 signs a path as it is sent, where other services of AWS escape it a second time.
    return f"{folder}/{quote(key, safe='/~', errors='surrogateescape')}"


def query_string(parameters: Mapping[str, str]) -> str:
    """Parameters in the order and form that a signature wants."""
    pairs = sorted((_escape(name), _escape(value)) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def signed_headers(
    address: S3Address,
    request: UnsignedRequest,
    *,
    now: datetime,
) -> dict[str, str]:
    """Headers of a request, `host` among them; valid for some minutes around `now` (UTC)."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(request.body).hexdigest() if request.body else _NOTHING
    headers = {"host": request.host, "x-amz-content-sha256": digest, "x-amz-date": moment, **request.headers}
    # The server puts them into this order too when it computes the signature.
    headers = dict(sorted(headers.items()))
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "\n".join((request.method, request.path, request.query, lines, names, digest))
    scope = f"{moment[:8]}/{address.region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(text.encode()).hexdigest()))
    signature = hmac.new(_key(address, scope), text.encode(), hashlib.sha256).hexdigest()
    who = f"Credential={address.access_key}/{scope}"
    return headers | {"authorization": f"{_ALGORITHM} {who}, SignedHeaders={names}, Signature={signature}"}


def _key(address: S3Address, scope: str) -> bytes:
    key = f"AWS4{address.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _escape(text: str) -> str:
    return quote(text, safe="~", errors="surrogateescape")
