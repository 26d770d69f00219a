"""Service tokens speak for one caller, for a while, for one purpose."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import jwt
import pytest
from chassis.http.tokens import Caller, Tokens
from contracts.errors import Unauthorized
from contracts.values import OrganizationId

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CALLER = Caller(organization_id=OrganizationId("org"), account_id="acc", roles=("owner", "viewer"))
TOKENS = Tokens(KEY, audience="cairn-internal")


def test_a_token_brings_back_its_caller() -> None:
    assert TOKENS.read(TOKENS.sign(CALLER, ttl_seconds=60)) == CALLER


def forged() -> str:
    header, payload, signature = TOKENS.sign(CALLER, ttl_seconds=60).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["org"] = "another"
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{changed}.{signature}"


UNSIGNED = {"aud": "cairn-internal", "org": "org", "sub": "acc", "exp": 99999999999}
BAD = {
    "expired": TOKENS.sign(CALLER, ttl_seconds=-1),
    "of another key": Tokens(OTHER_KEY, audience="cairn-internal").sign(CALLER, ttl_seconds=60),
    "for another audience": Tokens(KEY, audience="cairn-badge").sign(CALLER, ttl_seconds=60),
    "forged": forged(),
    "without a signature": jwt.encode(UNSIGNED, "", algorithm="none"),
    "without an organization": jwt.encode({k: v for k, v in UNSIGNED.items() if k != "org"}, KEY, "HS256"),
    "without an end": jwt.encode({k: v for k, v in UNSIGNED.items() if k != "exp"}, KEY, "HS256"),
    "with an organization that is no text": jwt.encode(UNSIGNED | {"org": ["org"]}, KEY, "HS256"),
    "with roles that are none": jwt.encode(UNSIGNED | {"roles": 7}, KEY, "HS256"),
    "no token": "nonsense",
    "empty": "",
    "not ASCII": "ü.ü.ü",
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_token_is_refused(case: str) -> None:
    with pytest.raises(Unauthorized) as error:
        TOKENS.read(BAD[case])
    assert error.value.code == "token_invalid"


class InAMinute(datetime):
    """The clock of a minute later."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """The time in a minute."""
        return super().now(tz) + timedelta(seconds=61)


def test_a_token_that_was_good_is_refused_once_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    token = TOKENS.sign(CALLER, ttl_seconds=60)
    assert TOKENS.read(token) == TOKENS.read(token) == CALLER
    monkeypatch.setattr(time, "time", lambda: InAMinute.now(UTC).timestamp())
    monkeypatch.setattr("jwt.api_jwt.datetime", InAMinute)
    with pytest.raises(Unauthorized):
        TOKENS.read(token)
