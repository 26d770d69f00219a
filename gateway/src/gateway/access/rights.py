"""Which role may do what."""

from collections.abc import Iterable
from enum import StrEnum

from contracts.errors import Forbidden


class Right(StrEnum):
    """Something a caller may do."""

    READ = "read"
    RUN = "run"
    WRITE = "write"
    # Not a part of READ: existing clients compare unmasked values, operators and auditors must not see them (0006).
    SECRETS = "secrets"
    MANAGE = "manage"
    AUDIT = "audit"


_IN_WORDS = {
    Right.READ: "look at this",
    Right.RUN: "run or test anything",
    Right.WRITE: "define or change anything",
    Right.SECRETS: "see secrets",
    Right.MANAGE: "manage members and grants",
    Right.AUDIT: "read the audit log",
}

ROLES: dict[str, tuple[str, frozenset[Right]]] = {
    "owner": ("Everything.", frozenset(Right)),
    "administrator": ("Everything.", frozenset(Right)),
    "operator": ("Runs what is defined and defines nothing; sees no secrets.", frozenset({Right.READ, Right.RUN})),
    # Clients find it in the catalogue of roles; so far it is an operator.
    "backup-operator": (
        "Runs what is defined and defines nothing; sees no secrets.",
        frozenset({Right.READ, Right.RUN}),
    ),
    "auditor": ("Reads everything but secrets, the audit log too.", frozenset({Right.READ, Right.AUDIT})),
}
"""Standard roles: name -> (in words, rights)."""


def rights_of(roles: Iterable[str]) -> frozenset[Right]:
    """All that these roles permit together. Roles nobody knows permit nothing."""
    return frozenset(right for role in roles for right in ROLES.get(role, ("", frozenset[Right]()))[1])


def require(roles: Iterable[str], right: Right) -> None:
    """Raise `Forbidden` unless one of the roles permits it."""
    if right not in rights_of(roles):
        raise Forbidden("forbidden", f"None of your roles in this organization lets you {_IN_WORDS[right]}.")
