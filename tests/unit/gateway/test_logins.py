"""Logging in, and who may go where."""

import hashlib

import pytest
from chassis.http.tokens import Caller, Tokens
from contracts.errors import Forbidden, NotFound, Unauthorized
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId
from gateway.access.accounts import ApiKey, Grant
from gateway.access.api_keys import digest_of
from gateway.access.passwords import hash_password, verify_password
from gateway.access.principal import Principal
from gateway.access.principals import Principals
from gateway.access.rights import Right
from gateway.access.store import Accounts, membership_id
from gateway.areas.auth.service import Logins
from gateway.areas.links.service import Links
from gateway.areas.links.tokens import Link, sign
from gateway.audit_log.entries import AuditRow

from tests.unit.gateway.in_memory import (
    CHILD_ORG,
    FOREIGN_ORG,
    ROOT_ORG,
    accounts_in_memory,
    add,
    add_organizations,
    an_account,
    drop,
    logins_in_memory,
)

BADGES = Tokens(bytes(32), audience="cairn-badge")
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"
PASSWORD = hash_password("right", salt=bytes(16), work=2)


def principals(accounts: Accounts) -> Principals:
    return Principals(accounts, remembered_seconds=0)


def logins(accounts: Accounts, written: list[AuditRow] | None = None) -> Logins:
    return logins_in_memory(accounts, principals(accounts), BADGES, written)


async def accounts_of(role: str | None = "owner", org: OrganizationId = ROOT_ORG) -> Accounts:
    accounts = accounts_in_memory()
    await add_organizations(accounts)
    await add(accounts, an_account(password_hash=PASSWORD), org=org, role=role)
    return accounts


def test_password_matches_its_hash_only() -> None:
    assert verify_password("right", PASSWORD)
    assert not verify_password("wrong", PASSWORD)
    assert not verify_password("right", None)
    assert hash_password("right") != hash_password("right")


async def test_login_by_password_ignores_the_case_of_the_address() -> None:
    badge = await logins(await accounts_of()).by_password(" SomeOne@Example.com ", "right", address=HOME)
    assert BADGES.read(badge) == Caller(organization_id=ROOT_ORG, account_id="someone")


@pytest.mark.parametrize(("email", "password"), [("someone@example.com", "wrong"), ("nobody@example.com", "right")])
async def test_wrong_password_and_unknown_address_look_the_same(email: str, password: str) -> None:
    with pytest.raises(Unauthorized, match=r"Email or password are wrong\."):
        await logins(await accounts_of()).by_password(email, password, address=HOME)


async def test_account_without_password_has_no_interactive_login() -> None:
    accounts = await accounts_of()
    await add(accounts, an_account("robot", is_service=True))
    with pytest.raises(Unauthorized):
        await logins(accounts).by_password("robot@example.com", "", address=HOME)


async def test_login_by_api_key_needs_the_exact_key() -> None:
    accounts, api_key = await accounts_of(), "pcp_ak_test"
    key = ApiKey(id=digest_of(api_key), account_id="someone", organization_id=CHILD_ORG)
    await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, key.id), key)
    assert key.id == hashlib.sha256(api_key.encode()).hexdigest()
    assert BADGES.read(await logins(accounts).by_api_key(api_key, address=HOME)).organization_id == CHILD_ORG
    for wrong in ("", "pcp_ak_tes", "pcp_ak_test ", key.id):
        with pytest.raises(Unauthorized):
            await logins(accounts).by_api_key(wrong, address=HOME)


async def test_badge_is_exchanged_where_the_account_is_a_member_or_below() -> None:
    accounts = await accounts_of()
    principal = Principal(account_id="someone", organization_id=ROOT_ORG)
    for org in (ROOT_ORG, CHILD_ORG):
        assert BADGES.read(await logins(accounts).exchange(principal, org, address=HOME)).organization_id == org
    for org in (FOREIGN_ORG, "no-such-organization", ""):
        with pytest.raises(NotFound):
            await logins(accounts).exchange(principal, org, address=HOME)


async def test_member_of_a_child_does_not_reach_its_parent() -> None:
    accounts = await accounts_of(org=CHILD_ORG)
    principal = Principal(account_id="someone", organization_id=CHILD_ORG)
    with pytest.raises(NotFound):
        await logins(accounts).exchange(principal, ROOT_ORG, address=HOME)
    with pytest.raises(NotFound):
        await principals(accounts).enter(principal, ROOT_ORG)


async def test_grants_above_count_below_and_not_the_other_way() -> None:
    above = await principals(await accounts_of("operator")).recognize(
        Caller(organization_id=CHILD_ORG, account_id="someone")
    )
    assert above.roles == ("operator",)
    below = await principals(await accounts_of("operator", CHILD_ORG)).recognize(
        Caller(organization_id=ROOT_ORG, account_id="someone")
    )
    assert (below.roles, below.is_member) == ((), False)
    with pytest.raises(Forbidden):
        below.require(Right.READ)


async def test_entering_a_child_takes_its_organization_on() -> None:
    accounts = await accounts_of()
    at_root = await principals(accounts).recognize(Caller(organization_id=ROOT_ORG, account_id="someone"))
    assert (await principals(accounts).enter(at_root, CHILD_ORG)).organization_id == CHILD_ORG
    with pytest.raises(NotFound):
        await principals(accounts).enter(at_root, FOREIGN_ORG)


@pytest.mark.parametrize(
    "badge",
    [
        Caller(organization_id=ROOT_ORG, account_id="nobody"),
        Caller(organization_id=OrganizationId("gone"), account_id="someone"),
    ],
)
async def test_badge_of_somebody_or_something_gone_is_unknown(badge: Caller) -> None:
    with pytest.raises(Unauthorized, match="token_invalid"):
        await principals(await accounts_of()).recognize(badge)


async def test_api_key_badge_falls_with_its_key() -> None:
    accounts, api_key = await accounts_of(), "pcp_ak_test"
    key = ApiKey(id=digest_of(api_key), account_id="someone", organization_id=ROOT_ORG)
    await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, key.id), key)
    badge = BADGES.read(await logins(accounts).by_api_key(api_key, address=HOME))
    principal = await principals(accounts).recognize(badge)
    below = BADGES.read(await logins(accounts).exchange(principal, CHILD_ORG, address=HOME))
    inside = await principals(accounts).enter(principal, CHILD_ORG)
    assert (principal.roles, inside.key_id) == (("owner",), key.id)

    await drop(accounts.api_keys, EVERYBODY, key.id)

    for gone in (badge, below):
        with pytest.raises(Unauthorized, match="token_invalid"):
            await principals(accounts).recognize(gone)
    with pytest.raises(Unauthorized, match="token_invalid"):
        await principals(accounts).enter(principal, CHILD_ORG)
    by_password = BADGES.read(await logins(accounts).by_password("someone@example.com", "right", address=HOME))
    assert (await principals(accounts).recognize(by_password)).roles == ("owner",)


@pytest.mark.parametrize("here", [ROOT_ORG, CHILD_ORG])
async def test_a_grant_without_its_membership_permits_nothing(here: OrganizationId) -> None:
    accounts, api_key = await accounts_of("owner", here), "pcp_ak_test"
    key = ApiKey(id=digest_of(api_key), account_id="someone", organization_id=here)
    await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, key.id), key)
    badge = BADGES.read(await logins(accounts).by_api_key(api_key, address=HOME))
    assert (await principals(accounts).recognize(badge)).roles == ("owner",)

    await drop(accounts.memberships, here, membership_id(here, "someone"))

    if here == ROOT_ORG:
        at_home = await principals(accounts).recognize(badge)
        assert at_home.roles == ()
        with pytest.raises(NotFound):
            await principals(accounts).enter(at_home, ROOT_ORG)
    else:
        with pytest.raises(Unauthorized, match="token_invalid"):
            await principals(accounts).recognize(badge)
    with pytest.raises(Unauthorized, match="login_failed"):
        await logins(accounts).by_api_key(api_key, address=HOME)


async def test_membership_above_keeps_grants_below() -> None:
    accounts = await accounts_of("auditor")
    grant = Grant(id="g", organization_id=CHILD_ORG, account_id="someone", role="operator")
    await accounts.grants.save(await accounts.grants.load(CHILD_ORG, "g"), grant)
    found = await principals(accounts).recognize(Caller(organization_id=CHILD_ORG, account_id="someone"))
    assert found.roles == ("operator", "auditor")


async def test_logins_stand_in_the_audit_log_with_their_address() -> None:
    accounts, written = await accounts_of(), list[AuditRow]()
    entering = logins(accounts, written)
    await entering.by_password("someone@example.com", "right", address=HOME)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await entering.by_password("someone@example.com", "wrong", address=ELSEWHERE)
    with pytest.raises(Unauthorized):
        await entering.by_password("typed-a-password-here", "", address=ELSEWHERE)
    with pytest.raises(Unauthorized):
        await entering.by_api_key("pcp_ak_wrong", address=ELSEWHERE)
    await entering.log.flush()

    told = [
        (
            e.entry.actor.account_id,
            e.entry.actor.via,
            e.ending.code,
            e.entry.details["address"],
            e.entry.details.get("count"),
        )
        for e in written
    ]
    assert told == [
        ("someone", "password", None, HOME, None),
        ("someone", "password", "login_failed", ELSEWHERE, 3),
        ("", "password", "login_failed", ELSEWHERE, 1),
        ("", "api-key", "login_failed", ELSEWHERE, 1),
    ]
    assert {e.entry.organization_id for e in written[:2]} == {ROOT_ORG}
    assert {e.ending.outcome for e in written[1:]} == {"failed"}
    assert "typed" not in str(written)


async def test_a_link_falls_with_the_key_it_was_made_with() -> None:
    accounts = await accounts_of()
    key = ApiKey(id="digest", account_id="someone", organization_id=ROOT_ORG)
    await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, key.id), key)
    facts = {"organization_id": ROOT_ORG, "account_id": "someone", "snapshot_id": "5f", "paths": ("/a",)}
    link = Link(**facts, key_id=key.id, format=None, expires_at=2**40)
    links = Links(None, principals(accounts), None, bytes(32), "")  # type: ignore[arg-type]
    who, followed = await links.follow(sign(link, bytes(32)), "5f")
    assert (who.roles, followed) == (("owner",), link)

    await drop(accounts.api_keys, EVERYBODY, key.id)

    with pytest.raises(Unauthorized, match="link_invalid"):
        await links.follow(sign(link, bytes(32)), "5f")
