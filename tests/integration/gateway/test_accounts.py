"""Logging in, badges, and what a role may do, over real HTTP."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from chassis.http.tokens import Caller, Tokens
from chassis.ids import new_id
from chassis.runtime.settings import read_key
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId
from gateway.access.accounts import ApiKey
from gateway.access.api_keys import digest_of
from gateway.access.store import membership_id

from tests.integration.gateway.client import Client, a_resource_body
from tests.integration.gateway.conftest import Platform
from tests.integration.gateway.members import accounts_of, add_member, add_organization, as_member, badge_for
from tests.support.waiting import eventually_async


def credentials(platform: Platform) -> dict[str, str]:
    return dict(json.loads(platform.credentials.read_text()))


async def test_first_start_leaves_credentials_for_its_owner_only(platform: Platform, api: Client) -> None:
    kept = credentials(platform)
    assert set(kept) == {"url", "email", "password", "api_key", "organization_id"}
    assert platform.credentials.stat().st_mode & 0o777 == 0o600
    assert (kept["url"], kept["organization_id"]) == (platform.url, api.organization_id)


async def test_password_login_leads_to_account_and_badge(platform: Platform, api: Client) -> None:
    kept = credentials(platform)
    body = {"email": kept["email"].upper(), "password": kept["password"]}
    token = (await api.post("/auth/login/password", body))["token"]
    badge = {"authorization": f"Bearer {token}"}
    me = (await api.call("GET", "/account/me", headers=badge)).json()
    assert (me["email"], me["organization_id"], me["roles"]) == (kept["email"], api.organization_id, ["owner"])
    exchanged = await api.call("POST", "/auth/badge", json={"organization_id": api.organization_id}, headers=badge)
    assert exchanged.json()["token"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/login/apikey", {"api_key": "pcp_ak_wrong"}),
        ("/auth/login/apikey", {"api_key": ""}),
        ("/auth/login/password", {"email": "owner@cairn.local", "password": "wrong"}),
        ("/auth/login/password", {"email": "nobody@cairn.local", "password": "wrong"}),
    ],
)
async def test_wrong_credentials_are_401(api: Client, path: str, body: dict[str, str]) -> None:
    assert (await api.problem("POST", path, json=body))["code"] == "login_failed"


@pytest.mark.parametrize(
    ("path", "body"), [("/auth/login/apikey", {}), ("/auth/login/apikey", {"api_key": 7}), ("/auth/login/password", [])]
)
async def test_logins_of_another_form_are_400(api: Client, path: str, body: Any) -> None:
    assert (await api.problem("POST", path, json=body))["status"] == 400


async def a_key(platform: Platform, org: OrganizationId, *roles: str) -> tuple[str, str]:
    """An API key of a new account with these roles, and the account's id."""
    made = f"pcp_ak_{new_id()}"
    async with accounts_of(platform.corner.settings()) as accounts:
        account = await add_member(accounts, org, *roles)
        key = ApiKey(id=digest_of(made), account_id=account, organization_id=org)
        await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, key.id), key)
    return made, account


async def test_badge_falls_within_seconds_with_its_key_and_membership(platform: Platform, api: Client) -> None:
    org = OrganizationId(api.organization_id)
    for gone in ("key", "membership"):
        key, account = await a_key(platform, org, "owner")
        badge = (await api.post("/auth/login/apikey", {"api_key": key}))["token"]
        headers = {"authorization": f"Bearer {badge}"}
        path = "/scheduling/scheduler/run/nothing"
        assert (await api.problem("GET", path, headers=headers))["code"] == "run_not_found"
        async with accounts_of(platform.corner.settings()) as accounts:
            if gone == "key":
                await accounts.api_keys.save(await accounts.api_keys.load(EVERYBODY, digest_of(key)), None)
            else:
                record = await accounts.memberships.load(org, membership_id(org, account))
                await accounts.memberships.save(record, None)

        async def refused(path: str = path, headers: dict[str, str] = headers) -> bool:
            return (await api.call("GET", path, headers=headers)).status_code in (401, 403)

        await eventually_async(refused, 5)
        assert (await api.problem("POST", "/auth/login/apikey", json={"api_key": key}))["code"] == "login_failed"


async def test_wrong_passwords_keep_nobody_out(platform: Platform, api: Client) -> None:
    kept = credentials(platform)
    floods = [{"email": kept["email"], "password": "wrong"}] * 20
    floods += [{"email": f"{n}@example.com", "password": "wrong"} for n in range(20)]
    stop, seen = asyncio.Event(), list[httpx.Response]()

    async def flood(body: dict[str, str]) -> None:
        while not stop.is_set():
            seen.append(await api.call("POST", "/auth/login/password", json=body))

    tasks = [asyncio.create_task(flood(body)) for body in floods]
    try:
        await eventually_async(lambda: asyncio.sleep(0, any(a.status_code == 429 for a in seen)), 20)
        body = {"email": kept["email"], "password": kept["password"]}
        for _ in range(2):
            assert (await api.call("POST", "/auth/login/password", json=body)).status_code == 200
        assert (await api.call("POST", "/auth/login/apikey", json={"api_key": kept["api_key"]})).status_code == 200
    finally:
        stop.set()
        await asyncio.gather(*tasks)
    [refused] = [a for a in seen if a.status_code == 429][:1]
    assert refused.json()["code"] == "too_many_attempts"
    assert int(refused.headers["retry-after"]) >= 1
    assert {a.status_code for a in seen} == {401, 429}

    async def told() -> bool:
        entries = (await api.get(api.org("/audit"), action="account.login", limit=1000))["items"]
        counted = {e["code"]: e["details"] for e in entries if e["outcome"] == "failed" and e["via"] == "password"}
        return {"login_failed", "too_many_attempts"} <= counted.keys() and all(
            d["address"] == "127.0.0.1" for d in counted.values()
        )

    await eventually_async(told, 20)


async def test_address_of_a_client_is_not_what_it_says_itself(platform: Platform, api: Client) -> None:
    headers = {"x-forwarded-for": "203.0.113.77"}
    await api.call("POST", "/auth/login/apikey", json={"api_key": credentials(platform)["api_key"]}, headers=headers)
    [latest, *_] = await api.audited(action="account.login", limit=50)
    assert (latest["outcome"], latest["via"], latest["details"]) == ("completed", "api-key", {"address": "127.0.0.1"})


async def test_expired_foreign_and_forged_badges_are_401(platform: Platform, api: Client) -> None:
    me = (await api.get("/account/me"))["id"]
    key, org = platform.folder / "badge.key", OrganizationId(api.organization_id)
    caller = Caller(organization_id=org, account_id=me)
    badges = {
        "expired": badge_for(key, me, org, ttl_seconds=-1),
        "service token": Tokens(read_key(platform.corner.key_file), audience="cairn-internal").sign(
            caller, ttl_seconds=60
        ),
        "other key": Tokens(bytes(32), audience="cairn-badge").sign(caller, ttl_seconds=60),
        "account gone": badge_for(key, "nobody", org),
        "organization gone": badge_for(key, me, OrganizationId("nowhere")),
        "rubbish": "a.b.c",
        "not ascii": "b\xe4dge",
    }
    for name, badge in badges.items():
        problem = await api.problem(
            "GET", "/account/me", headers={"authorization": f"Bearer {badge}".encode("latin-1")}
        )
        assert (name, problem["status"]) == (name, 401)


async def test_organization_tree_is_seen_downwards_only(platform: Platform, api: Client) -> None:
    async with accounts_of(platform.corner.settings()) as accounts:
        child = await add_organization(accounts, OrganizationId(api.organization_id))
        grandchild = await add_organization(accounts, child)
        foreign = await add_organization(accounts, OrganizationId("elsewhere"))
    root = await api.get(api.org(""))
    assert (root["id"], root["parent_id"], root["type"], root["info"]) == (api.organization_id, None, "enterprise", {})
    children = await api.get(api.org("/children"))
    assert [c["id"] for c in children] == [child]
    assert (await api.get(f"/account/organizations/{grandchild}"))["parent_id"] == child
    for path in ("", "/children", "/members", "/access", "/inventories", "/connectors"):
        assert (await api.problem("GET", f"/account/organizations/{foreign}{path}"))["status"] == 404
    below = (await api.post("/auth/badge", {"organization_id": grandchild}))["token"]
    headers = {"authorization": f"Bearer {below}"}
    assert (await api.call("GET", "/account/me", headers=headers)).json()["organization_id"] == grandchild
    assert (await api.problem("GET", api.org(""), headers=headers))["status"] == 404
    assert (await api.problem("POST", "/auth/badge", json={"organization_id": foreign}))["status"] == 404


async def test_work_in_a_child_stays_in_the_child(platform: Platform, api: Client) -> None:
    async with accounts_of(platform.corner.settings()) as accounts:
        child = await add_organization(accounts, OrganizationId(api.organization_id))
    path = f"/account/organizations/{child}/inventories"
    made = await api.post(path, {"name": "in the child", "type": "self-managed"})
    assert [i["id"] for i in (await api.get(path))["items"]] == [made["id"]]
    assert made["id"] not in [i["id"] for i in (await api.get(api.org("/inventories")))["items"]]
    assert (await api.problem("GET", f"/inventories/{made['id']}"))["code"] == "inventory_not_found"


async def test_members_grants_and_roles_are_listed(platform: Platform, api: Client) -> None:
    member = await as_member(platform, api, "operator", "auditor")
    me = await member.get("/account/me")
    assert sorted(me["roles"]) == ["auditor", "operator"]
    members = await api.get(api.org("/members"), limit=50)
    assert me["id"] in [m["user_id"] for m in members["items"]]
    grants = [g for g in (await api.get(api.org("/access"), limit=50))["items"] if g["subject"]["id"] == me["id"]]
    assert sorted(g["role"]["name"] for g in grants) == ["auditor", "operator"]
    assert await api.get(api.org(f"/access/{grants[0]['id']}")) == grants[0]
    assert (await api.problem("GET", api.org("/access/nothing")))["code"] == "grant_not_found"
    names = {r["name"] for r in (await api.get("/roles"))["items"]}
    assert names >= {"owner", "administrator", "operator", "auditor", "backup-operator"}


async def test_caller_without_a_grant_sees_empty_listings(platform: Platform, api: Client) -> None:
    inventory = await api.inventory("hidden")
    nobody = await as_member(platform, api)
    for path in (
        "/inventories/resources",
        f"/inventories/{inventory}/resources",
        "/integrations/installed",
        "/scheduling/jobs",
        "/snapshots/store/any",
        *(api.org(p) for p in ("/inventories", "/connectors", "/members", "/access")),
    ):
        assert await nobody.get(path) == {"total": 0, "items": []}, path
    assert await nobody.get(api.org("/children")) == []
    assert (await nobody.problem("GET", f"/inventories/{inventory}"))["status"] == 403
    assert (await nobody.problem("POST", api.org("/inventories/self-managed"), json={"name": "x"}))["status"] == 403


@pytest.mark.parametrize("role", ["operator", "backup-operator", "auditor"])
async def test_roles_below_administrator_define_nothing(platform: Platform, api: Client, role: str) -> None:
    inventory = await api.inventory("defined")
    urn_id = await api.resource(inventory)
    member = await as_member(platform, api, role)
    assert (await member.get(f"/inventories/{inventory}"))["name"] == "defined"
    for method, path, body in (
        ("POST", api.org("/inventories/self-managed"), {"name": "x"}),
        ("POST", f"/inventories/{inventory}", {"name": "x", "type": "self-managed"}),
        ("DELETE", f"/inventories/{inventory}", None),
        ("POST", f"/inventories/{inventory}/resources", a_resource_body("urn:new")),
        ("DELETE", f"/inventories/{inventory}/resources/{urn_id}", None),
        ("POST", api.org("/connectors"), {"name": "x", "type": "source", "urn_id": urn_id}),
        ("DELETE", "/connectors/any", None),
        ("POST", "/connectors/any/stores/create", None),
        ("POST", "/integrations/installed", {"name": "fs"}),
    ):
        assert (await member.problem(method, path, json=body))["code"] == "forbidden", path
    run = {"type": "backup", "origin_id": "nothing", "target_id": "nothing"}
    expected = 403 if role == "auditor" else 404
    assert (await member.problem("POST", "/scheduling/scheduler/run", json=run))["status"] == expected
    assert (await member.problem("POST", "/connectors/nothing/test"))["status"] == expected
