"""Which keys a restore must not write, as they belong to stores in the same bucket."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from integrations.sdk.errors import RootForbidden
from integrations.sdk.ports.destination import GuardedPlace

# A bucket of AWS has one name all over a partition, and several hosts that answer for it.
_AWS = re.compile(r"^(?:[^/]*[.-])?s3[^/]*\.amazonaws\.com(?P<partition>\.cn)?(?=/)")


def guarded_keys(named: str, location: str, guarded: Sequence[GuardedPlace]) -> Mapping[str, str]:
    """How the keys below a destination begin that are guarded, with the reason.

    `named`: the destination for people; `location`: as the engine finds it. Raises `RootForbidden` where the
    destination lies in a guarded place.
    """
    own, found = _place(location), dict[str, str]()
    for each in guarded:
        other = _place(each.address)
        if other and f"{own}/".startswith(f"{other}/"):
            raise RootForbidden(named, each.why)
        if other.startswith(f"{own}/"):
            found.setdefault(unquote(other[len(own) + 1 :]) + "/", each.why)
    return found


def _place(location: str) -> str:
    """A location without its scheme, as a server may answer on both; empty for one that is not in a bucket."""
    if not location.startswith("s3:"):
        return ""
    place = location.removeprefix("s3:").removeprefix("http://").removeprefix("https://").rstrip("/")
    return _AWS.sub(lambda found: f"amazonaws.com{found['partition'] or ''}", place, count=1)
