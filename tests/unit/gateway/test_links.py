"""What a signed link stands for, and what it does not."""

import base64
from datetime import UTC, datetime

import pytest
from chassis.http.tokens import Tokens
from contracts.errors import Unauthorized
from contracts.values import OrganizationId
from gateway.areas.links.tokens import LONGEST_URL, Link, link_key, read, sign

BADGE_KEY = bytes(range(32))
KEY = link_key(BADGE_KEY)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_link(**changes: object) -> Link:
    facts = {
        "organization_id": OrganizationId("org"), "account_id": "someone", "snapshot_id": "5f" * 32,
        "paths": ("/a%FF",), "format": None, "expires_at": int(NOW.timestamp()) + 60,
    }  # fmt: skip
    return Link.model_validate(facts | changes)


def test_a_link_says_all_it_was_made_of() -> None:
    for link in (a_link(), a_link(format="tar.zst", paths=tuple(f"/{n}" for n in range(1000)))):
        assert read(sign(link, KEY), KEY, NOW) == link


@pytest.mark.parametrize("seconds", [0, -1, -(10**9)])
def test_it_ends_when_it_says(seconds: int) -> None:
    token = sign(a_link(expires_at=int(NOW.timestamp()) + seconds), KEY)

    with pytest.raises(Unauthorized, match="link_expired"):
        read(token, KEY, NOW)


def test_every_changed_bit_is_noticed() -> None:
    token = sign(a_link(), KEY)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for n in range(len(raw)):
        raw[n] ^= 1
        with pytest.raises(Unauthorized, match="link_invalid"):
            read(base64.urlsafe_b64encode(raw).decode().rstrip("="), KEY, NOW)
        raw[n] ^= 1


@pytest.mark.parametrize("odd", ["", "=", "x", "é", "a" * (LONGEST_URL + 1), "AAAA", "+/+/", "\n", "A" * 43])
def test_what_is_no_link_is_refused(odd: str) -> None:
    with pytest.raises(Unauthorized, match="link_invalid"):
        read(odd, KEY, NOW)


def test_only_this_gateway_signs_links() -> None:
    with pytest.raises(Unauthorized, match="link_invalid"):
        read(sign(a_link(), link_key(bytes(32))), KEY, NOW)
    with pytest.raises(Unauthorized, match="link_invalid"):
        read(sign(a_link(), BADGE_KEY), KEY, NOW)
    with pytest.raises(Unauthorized):
        Tokens(BADGE_KEY, audience="cairn-badge").read(sign(a_link(), KEY))


def test_many_paths_take_little_room() -> None:
    link = a_link(paths=tuple(f"/documents/2026/reports/report-{n:04}.txt" for n in range(500)))

    assert len(sign(link, KEY)) < LONGEST_URL
