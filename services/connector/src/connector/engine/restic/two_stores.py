"""Two stores at once: restic takes one set of variables and options for both of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from integrations.sdk.errors import PassphraseMissing
from integrations.sdk.locations import StoreLocation

from connector.engine.errors import CopyFailed, StoresAtOdds

_TLS = "whether certificates are verified"
_TALKS_OVER_A_PIPE = "rclone:"


def joined(target: StoreLocation, origin: StoreLocation) -> tuple[StoreLocation, list[str]]:
    """The target with what opens the origin as well, and the arguments that name the origin. They hold no secret.

    Where both need the same variable otherwise, as two buckets with keys of their own do, one of them is reached in
    the other way that it has. Raises `StoresAtOdds`, or `CopyFailed` for an origin without a passphrase.
    """
    if not origin.passphrase or "\0" in origin.passphrase:
        raise CopyFailed("origin", PassphraseMissing())
    to, from_ = _compatible(target, origin)
    both = replace(
        to,
        variables={**from_.variables, **to.variables},
        credentials={**from_.credentials, **to.credentials, "RESTIC_FROM_PASSWORD": origin.passphrase},
        options={**from_.options, **to.options},
        insecure_tls=to.insecure_tls or from_.insecure_tls,
    )
    return both, ["--from-repo", from_.address]


def _compatible(target: StoreLocation, origin: StoreLocation) -> tuple[StoreLocation, StoreLocation]:
    # The origin first: it is only read, and what is written goes the usual way.
    ways = [(target, origin), (target, origin.alternative), (target.alternative, origin)]
    for to, from_ in ways:
        if to is not None and from_ is not None and not list(_at_odds(to, from_)):
            return to, from_
    raise StoresAtOdds(sorted(_at_odds(target, origin)))


def _at_odds(one: StoreLocation, other: StoreLocation) -> Iterator[str]:
    """Names of what cannot be right for both."""
    is_same_kind = _kind(one) == _kind(other)
    for mine, others in zip(_settings(one), _settings(other), strict=True):
        for name in mine.keys() | others.keys():
            is_shared = name in mine and name in others
            # A variable or option that only one of them has counts for the other too, where it is of the same kind.
            if (is_shared or is_same_kind) and mine.get(name) != others.get(name):
                yield name
    if _speaks_tls(one) and _speaks_tls(other) and one.insecure_tls != other.insecure_tls:
        yield _TLS


def _settings(store: StoreLocation) -> tuple[Mapping[str, str], ...]:
    return store.variables, store.credentials, store.options


def _kind(store: StoreLocation) -> str:
    return "" if store.local_path else store.address.partition(":")[0]


def _speaks_tls(store: StoreLocation) -> bool:
    return store.local_path is None and not store.address.startswith(_TALKS_OVER_A_PIPE)
