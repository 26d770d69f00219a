"""What an address is: the kind of an endpoint follows from how it is written."""

import ipaddress
import re

from contracts.messages.catalog import Endpoint, EndpointKind
from contracts.texts import fault_of

LONGEST_ADDRESS = 300
_IDENTIFIER = re.compile(r"/|(urn|arn):|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.ASCII | re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\s@]")


def is_identifier(address: str) -> bool:
    """Whether an address is none of a host, but an identifier: see `endpoint_of`."""
    return bool(_IDENTIFIER.match(address))


def endpoint_of(address: str) -> Endpoint:
    """An endpoint with its kind, which follows from the address.

    Accepts a host name or an IP address, a port after a colon (IPv6 then in brackets), and ignores a scheme before
    and a path behind. What begins with a slash, `urn:` or `arn:`, or is a UUID, is an identifier: a path or an id that
    a provider knows, taken as it is. Raises ValueError with the reason in words.
    """
    if fault := fault_of(address, longest=LONGEST_ADDRESS, empty=False):
        raise ValueError(fault)
    if is_identifier(address):
        return Endpoint(endpoint=address, kind="host", is_identifier=True)
    if _FORBIDDEN.search(address):
        raise ValueError(
            "must be a host name or an IP address, without spaces, user or password; or an identifier: a path, a UUID, "
            "or what begins with `urn:` or `arn:`"
        )
    # By hand instead of `urlsplit`: most addresses have no scheme, and it would take `nas:445` for one.
    host, port = _split_port(address.split("://", 1)[-1].split("/", 1)[0])
    if not host:
        raise ValueError("has no host name and no IP address")
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError("has a port that is not between 1 and 65535")
    return Endpoint(endpoint=address, kind=_kind(host))


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not _is_ipv6(host) or (rest and not rest.startswith(":")):
            raise ValueError("has brackets that hold no IPv6 address")
        return host, rest[1:]
    if text.count(":") > 1:
        if not _is_ipv6(text):
            raise ValueError("has several colons but is no IPv6 address")
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _is_ipv6(host: str) -> bool:
    return _kind(host) == "inet6"


def _kind(host: str) -> EndpointKind:
    try:
        return "inet4" if ipaddress.ip_address(host).version == 4 else "inet6"
    except ValueError:
        return "host"
