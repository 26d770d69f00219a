"""Logging in, and who may go where."""

import asyncio
import hashlib

import pytest
from chassis.errors import Forbidden, NotFound, TemporaryError, Unauthorized
from chassis.tokens import Caller, Tokens
from contracts.connector import EVERYBODY
from contracts.values import OrganizationId
from gateway.domain.accounts import ApiKey
from gateway.domain.rights import Right
from gateway.store.accounts import Accounts
from gateway.usecases.logins import Logins, digest_of
from gateway.usecases.passwords import LoginBrake, hash_password, verify_password
from gateway.usecases.visitors import Visitor, Visitors

from tests.unit.gateway.rooms import (
    CHILD_ORG,
    FOREIGN_ORG,
    ROOT_ORG,
    accounts_in_memory,
    add,
    add_organizations,
    an_account,
)

BADGES = Tokens(bytes(32), audience="cairn-badge")
PASSWORD = hash_password("right", salt=bytes(16))


def visitors(accounts: Accounts) -> Visitors:
    return Visitors(accounts, remembered_seconds=0)


def logins(accounts: Accounts) -> Logins:
    return Logins(accounts, visitors(accounts), BADGES, LoginBrake(), 60)


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
    badge = await logins(await accounts_of()).by_password(" SomeOne@Example.com ", "right")
    assert BADGES.read(badge) == Caller(organization_id=ROOT_ORG, account_id="someone")


@pytest.mark.parametrize(("email", "password"), [("someone@example.com", "wrong"), ("nobody@example.com", "right")])
async def test_wrong_password_and_unknown_address_look_the_same(email: str, password: str) -> None:
    with pytest.raises(Unauthorized, match=r"Email or password are wrong\."):
        await logins(await accounts_of()).by_password(email, password)


async def test_account_without_password_has_no_interactive_login() -> None:
    accounts = await accounts_of()
    await add(accounts, an_account("robot", is_service=True))
    with pytest.raises(Unauthorized):
        await logins(accounts).by_password("robot@example.com", "")


async def test_login_by_api_key_needs_the_exact_key() -> None:
    accounts, api_key = await accounts_of(), "pcp_ak_test"
    key = ApiKey(id=digest_of(api_key), account_id="someone", organization_id=CHILD_ORG)
    await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, key.id), key)
    assert key.id == hashlib.sha256(api_key.encode()).hexdigest()
    assert BADGES.read(await logins(accounts).by_api_key(api_key)).organization_id == CHILD_ORG
    for wrong in ("", "pcp_ak_tes", "pcp_ak_test ", key.id):
        with pytest.raises(Unauthorized):
            await logins(accounts).by_api_key(wrong)


async def test_repeated_failures_wait_longer_and_a_success_ends_that() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    brake = LoginBrake(sleep)
    for _ in range(9):
        async with brake.attempt("a") as attempts:
            attempts.failures += 1
    assert slept == [0, 0, 0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    async with brake.attempt("b"):
        assert slept[9:] == [0]
    async with brake.attempt("a") as attempts:
        attempts.failures = 0
    async with brake.attempt("a"):
        assert slept[10:] == [2.0, 0]


async def test_only_a_few_attempts_for_one_account_wait_at_once() -> None:
    brake, release = LoginBrake(), asyncio.Event()

    async def attempt() -> None:
        async with brake.attempt("a"):
            await release.wait()

    waiting = [asyncio.create_task(attempt()) for _ in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(TemporaryError, match="too_many_attempts"):
        await attempt()
    release.set()
    await asyncio.gather(*waiting)


async def test_badge_is_exchanged_where_the_account_is_a_member_or_below() -> None:
    accounts = await accounts_of()
    visitor = Visitor(account_id="someone", organization_id=ROOT_ORG)
    for org in (ROOT_ORG, CHILD_ORG):
        assert BADGES.read(await logins(accounts).exchange(visitor, org)).organization_id == org
    for org in (FOREIGN_ORG, "no-such-organization", ""):
        with pytest.raises(NotFound):
            await logins(accounts).exchange(visitor, org)


async def test_member_of_a_child_does_not_reach_its_parent() -> None:
    accounts = await accounts_of(org=CHILD_ORG)
    visitor = Visitor(account_id="someone", organization_id=CHILD_ORG)
    with pytest.raises(NotFound):
        await logins(accounts).exchange(visitor, ROOT_ORG)
    with pytest.raises(NotFound):
        await visitors(accounts).enter(visitor, ROOT_ORG)


async def test_grants_above_count_below_and_not_the_other_way() -> None:
    above = await visitors(await accounts_of("operator")).recognize(
        Caller(organization_id=CHILD_ORG, account_id="someone")
    )
    assert above.roles == ("operator",)
    below = await visitors(await accounts_of("operator", CHILD_ORG)).recognize(
        Caller(organization_id=ROOT_ORG, account_id="someone")
    )
    assert below.roles == ()
    with pytest.raises(Forbidden):
        below.require(Right.READ)


async def test_entering_a_child_takes_its_organization_on() -> None:
    accounts = await accounts_of()
    at_root = await visitors(accounts).recognize(Caller(organization_id=ROOT_ORG, account_id="someone"))
    assert (await visitors(accounts).enter(at_root, CHILD_ORG)).organization_id == CHILD_ORG
    with pytest.raises(NotFound):
        await visitors(accounts).enter(at_root, FOREIGN_ORG)


@pytest.mark.parametrize(
    "badge",
    [
        Caller(organization_id=ROOT_ORG, account_id="nobody"),
        Caller(organization_id=OrganizationId("gone"), account_id="someone"),
    ],
)
async def test_badge_of_somebody_or_something_gone_is_unknown(badge: Caller) -> None:
    with pytest.raises(Unauthorized, match="token_invalid"):
        await visitors(await accounts_of()).recognize(badge)
