"""Signed tokens for calls between Cairn's processes: who asks, for which organization, with which rights."""

import time

import jwt
from contracts.values import OrganizationId, Value

from chassis.errors import Unauthorized

_ALGORITHM = "HS256"


class Caller(Value):
    """On whose behalf a call is made."""

    organization_id: OrganizationId
    account_id: str
    roles: tuple[str, ...] = ()


class Tokens:
    """Signs and reads tokens with one key. The audience keeps a badge from passing as a service token."""

    def __init__(self, key: bytes, *, audience: str) -> None:
        self._key = key
        self._audience = audience

    def sign(self, caller: Caller, *, ttl_seconds: int) -> str:
        """A token for the caller that expires."""
        claims = {
            "aud": self._audience,
            "org": caller.organization_id,
            "sub": caller.account_id,
            "roles": list(caller.roles),
            "exp": int(time.time()) + ttl_seconds,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: str) -> Caller:
        """The caller a token speaks for. Raises `Unauthorized` when it is expired, forged or for something else."""
        try:
            claims = jwt.decode(
                token, self._key, [_ALGORITHM], audience=self._audience, options={"require": ["exp", "org", "sub"]}
            )
            return Caller(organization_id=claims["org"], account_id=claims["sub"], roles=claims.get("roles", ()))
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthorized("token_invalid", "The token is expired or unknown.") from error
