"""The steps of a bucket's connection test; each returns what it found, or raises why it failed."""

import asyncio
import secrets
import socket
import ssl
from contextlib import suppress

import obstore
from contracts.errors import Invalid, PermanentError
from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import S3Store

from integrations.s3.address import S3Address, client_options, tls_context
from integrations.s3.error_mapping import WrongCredentials, read_refusal
from integrations.sdk.errors import TLS_FIELD, tls_advice

_CONNECT_SECONDS = 6.0
_TLS_RECORDS = (b"\x15", b"\x16")
"""First bytes of a TLS answer: an alert, or a handshake; a version that begins with 3 follows."""


async def reach(address: S3Address) -> str:
    """Its host has an address, something listens there, and a TLS handshake succeeds."""
    place = f"{address.host}:{address.port}"
    context = tls_context(address) if address.scheme == "https" else None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    except socket.gaierror:
        raise _unreachable("host_unknown", f"The host {address.host} is not known (DNS).") from None
    except ssl.SSLCertVerificationError as error:
        raise _unreachable(
            "tls_untrusted", f"The certificate of {place} is not trusted: {error.verify_message}."
        ) from None
    except ssl.SSLError as error:
        if await speaks_tls(address):
            raise _unreachable("tls_failed", f"TLS with {place} fails: {error.reason}.") from None
        raise tls_misconfigured(speaks_tls=False) from None
    except ConnectionRefusedError:
        raise _unreachable("connection_refused", f"Connection refused: nothing listens on {place}.") from None
    except (TimeoutError, OSError) as error:
        words = (getattr(error, "strerror", None) or "no answer").lower()
        raise _unreachable("unreachable", f"{place} cannot be reached: {words}.") from None
    # Only the way was in question; a server that resets a connection without a request has answered too.
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return f"{place} answers"


async def authenticate(address: S3Address) -> str:
    """The server knows the keys; whether they may list the bucket is another question."""
    try:
        await has_objects(address)
    except WrongCredentials:
        raise
    except PermanentError as error:
        # Any other refusal comes from a server that knows the keys.
        if error.code in ("s3_unreachable", "tls_misconfigured"):
            raise
    return "the credentials are accepted"


async def list_objects(address: S3Address) -> str:
    """The bucket is there and its objects can be listed."""
    found = await has_objects(address)
    return f"objects are there under {address.path}" if found else f"there are no objects under {address.path}"


async def write_probe(address: S3Address) -> str:
    """An object can be made and removed."""
    # A random name, so that no object of somebody else is overwritten and removed.
    store, key = _store(address), f"{address.prefix}/.cairn-probe-{secrets.token_hex(8)}".lstrip("/")
    try:
        await obstore.put_async(store, key, b"probe")
        await obstore.delete_async(store, key)
    except (BaseError, FileNotFoundError) as error:
        raise read_refusal(error, bucket=address.bucket) from None
    return "an object was made and removed"


async def has_objects(address: S3Address) -> bool:
    """Whether anything is there. Raises the error behind a refusal."""
    prefix = f"{address.prefix}/" if address.prefix else None
    try:
        async for page in obstore.list(_store(address), prefix=prefix, chunk_size=1):
            return bool(page)
    except InvalidPathError:
        return True  # An object is there, but obstore does not take its name.
    except (BaseError, FileNotFoundError) as error:
        refusal = read_refusal(error, bucket=address.bucket)
        if address.scheme == "http" and not isinstance(refusal, WrongCredentials) and await speaks_tls(address):
            raise tls_misconfigured(speaks_tls=True) from None
        raise refusal from None
    return False


async def speaks_tls(address: S3Address) -> bool:
    """Whether anything that TLS would say comes back."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            # Only the first bytes count: a server whose certificate is not trusted speaks TLS too.
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            greeting = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=address.host)
            with suppress(ssl.SSLWantReadError):
                greeting.do_handshake()
            writer.write(outgoing.read())
            answer = await reader.read(3)
            writer.close()
    except (TimeoutError, OSError):
        return False
    return answer[:1] in _TLS_RECORDS and answer[1:2] == b"\x03"


def tls_misconfigured(*, speaks_tls: bool) -> PermanentError:
    """The error of an app whose field `use_tls` is not what its endpoint needs."""
    return Invalid("tls_misconfigured", tls_advice(speaks_tls=speaks_tls), fields=TLS_FIELD)


def _store(address: S3Address) -> S3Store:
    return S3Store(address.bucket, **client_options(address, patient=False))


def _unreachable(code: str, detail: str) -> PermanentError:
    return PermanentError(code, detail)
