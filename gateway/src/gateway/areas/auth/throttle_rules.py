"""How long failed logins make the next one wait, and which addresses count as one. Pure."""

import ipaddress

from contracts.errors import Throttled

FORGOTTEN_SECONDS = 300.0
"""After so long without another one, failures are forgotten."""
_FREE_FAILURES = 3
_CHECK_SECONDS = 0.15
_IPV6_SITE = 64


def pause_after(failures: int, longest_seconds: float) -> float:
    """Seconds to wait before a try after so many failures: none after three, then 0.1 s and twice as long each time."""
    # Bounded: a float cannot hold 2.0 to the power of every count.
    over = min(failures - _FREE_FAILURES, 32)
    return min(0.1 * 2.0**over, longest_seconds) if over >= 0 else 0


def refusal_of(waiting: int, failures: int, longest_seconds: float) -> Throttled:
    """The refusal where so many wait already: try again once they should be through."""
    seconds = waiting * (_CHECK_SECONDS + pause_after(failures, longest_seconds))
    return Throttled(
        "too_many_attempts", "Too many logins are being tried at once; try again later.", retry_after_seconds=seconds
    )


def network_of(address: str) -> str:
    """What an address counts as: a site that was given IPv6 addresses has 2^64 of them, so its network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        # The server knows no address of a client on a Unix socket, for example.
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        # How a server that listens on IPv6 sees clients that came by IPv4.
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), _IPV6_SITE), strict=False))
    return str(parsed)
