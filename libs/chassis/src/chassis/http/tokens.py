"""Signed tokens for calls between Cairn's processes: who asks, for which organization, with which rights."""

import time
from collections import OrderedDict

import jwt
from contracts.errors import Unauthorized
from contracts.values import OrganizationId, Value

_ALGORITHM = "HS256"
_TRUSTED_MOST = 1000


class Caller(Value):
    """On whose behalf a call is made."""

    organization_id: OrganizationId
    account_id: str
    roles: tuple[str, ...] = ()
    key_id: str | None = None
    """Of a badge that an API key was exchanged for: that key, without which the badge does not stand."""


class Tokens:
    """Signs and reads tokens with one key. The audience keeps a badge from passing as a service token."""

    def __init__(self, key: bytes, *, audience: str) -> None:
        self._key = key
        self._audience = audience
        self._trusted: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def sign(self, caller: Caller, *, ttl_seconds: int) -> str:
        """A token for the caller that expires."""
        claims = {
            "aud": self._audience,
            "org": caller.organization_id,
            "sub": caller.account_id,
            "roles": list(caller.roles),
            "exp": int(time.time()) + ttl_seconds,
        } | ({"key": caller.key_id} if caller.key_id else {})
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: str) -> Caller:
        """The caller a token speaks for. Raises `Unauthorized` when it is expired, forged or for something else.

        A token comes with many requests: one that was found good is good until it expires.
        """
        expires, caller = self._trusted.get(token, (0.0, None))
        if caller is None or expires <= time.time():
            expires, caller = self._verify(token)
            self._trusted[token] = (expires, caller)
            if len(self._trusted) > _TRUSTED_MOST:
                self._trusted.popitem(last=False)
        return caller

    def _verify(self, token: str) -> tuple[float, Caller]:
        try:
            claims = jwt.decode(
                # The library checks `exp` only where it is there: without it, a token would be good for ever.
                token,
                self._key,
                [_ALGORITHM],
                audience=self._audience,
                options={"require": ["exp", "org", "sub"]},
            )
            caller = Caller(
                organization_id=claims["org"],
                account_id=claims["sub"],
                roles=claims.get("roles", ()),
                key_id=claims.get("key"),
            )
            return float(claims["exp"]), caller
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthorized("token_invalid", "The token is expired or unknown.") from error
