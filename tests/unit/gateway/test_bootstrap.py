"""The first start, and what becomes of it when the process dies on the way."""

import stat
from pathlib import Path

import pytest
from chassis.http.tokens import Tokens
from chassis.security.sealing import Sealer
from contracts.errors import Invalid
from gateway.access.bootstrap import Credentials, bootstrap, read_credentials
from gateway.access.principals import Principals
from gateway.access.store import ROOT, Accounts
from gateway.areas.auth.service import Logins

from tests.unit.gateway.in_memory import Died, accounts_in_memory, logins_in_memory

KEY = bytes(range(32))
SAVES = 6


async def start(accounts: Accounts, path: Path, url: str = "http://here") -> None:
    owner = {"url": url, "email": "Owner@Example.com"}
    await bootstrap(accounts, Sealer(KEY), path=path, **owner, password_work=2)


def logins(accounts: Accounts) -> Logins:
    badges = Tokens(KEY, audience="cairn-badge")
    return logins_in_memory(accounts, Principals(accounts, remembered_seconds=0), badges)


async def check_opens(accounts: Accounts, credentials: Credentials) -> None:
    """Both ways in lead to the owner of the only root organization."""
    [root] = await accounts.children(ROOT)
    assert root.id == credentials.organization_id
    by_key = await logins(accounts).by_api_key(credentials.api_key, address="192.0.2.1")
    by_password = await logins(accounts).by_password(credentials.email, credentials.password, address="192.0.2.1")
    badges = [Tokens(KEY, audience="cairn-badge").read(badge) for badge in (by_key, by_password)]
    assert badges[0].model_copy(update={"key_id": None}) == badges[1]
    visitor = await Principals(accounts, remembered_seconds=0).recognize(badges[0])
    assert (visitor.organization_id, visitor.roles) == (root.id, ("owner",))


async def test_first_start_writes_credentials_that_open(tmp_path: Path) -> None:
    accounts, path = accounts_in_memory(), tmp_path / "state" / "credentials.json"
    await start(accounts, path)
    credentials = read_credentials(path)
    assert credentials is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert credentials.url == "http://here"
    assert credentials.api_key.startswith("pcp_ak_")
    assert list(path.parent.iterdir()) == [path]
    await check_opens(accounts, credentials)


async def test_second_start_changes_nothing_but_the_address(tmp_path: Path) -> None:
    accounts, path = accounts_in_memory(), tmp_path / "credentials.json"
    await start(accounts, path)
    first = read_credentials(path)
    await start(accounts, path, url="http://there")
    second = read_credentials(path)
    assert first is not None
    assert second == first.model_copy(update={"url": "http://there"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("saves", range(SAVES))
async def test_a_start_that_died_is_completed_by_the_next(tmp_path: Path, saves: int) -> None:
    lives, path = [saves], tmp_path / "credentials.json"
    accounts = accounts_in_memory(lives)
    with pytest.raises(Died):
        await start(accounts, path)
    before = read_credentials(path)
    lives[0] = 1_000_000
    await start(accounts, path)
    assert read_credentials(path) == before
    assert before is not None
    await check_opens(accounts, before)


@pytest.mark.parametrize("saves", range(1, SAVES))
async def test_lost_credentials_of_a_start_that_died_are_made_anew(tmp_path: Path, saves: int) -> None:
    lives, path = [saves], tmp_path / "credentials.json"
    accounts = accounts_in_memory(lives)
    with pytest.raises(Died):
        await start(accounts, path)
    path.unlink()
    lives[0] = 1_000_000
    await start(accounts, path)
    credentials = read_credentials(path)
    assert credentials is not None
    await check_opens(accounts, credentials)


async def test_credentials_taken_away_after_the_first_start_stay_away(tmp_path: Path) -> None:
    accounts, path = accounts_in_memory(), tmp_path / "credentials.json"
    await start(accounts, path)
    path.unlink()
    await start(accounts, path)
    assert not path.exists()


async def test_fresh_database_is_filled_from_known_credentials(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    await start(accounts_in_memory(), path)
    accounts, credentials = accounts_in_memory(), read_credentials(path)
    await start(accounts, path)
    assert credentials is not None
    await check_opens(accounts, credentials)


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"url": 1}'])
async def test_unreadable_credentials_stop_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(content)
    with pytest.raises(Invalid, match="credentials_unreadable"):
        await start(accounts_in_memory(), path)


async def test_credentials_of_another_installation_stop_the_start(tmp_path: Path) -> None:
    accounts = accounts_in_memory()
    await start(accounts, tmp_path / "ours.json")
    await start(accounts_in_memory(), tmp_path / "theirs.json")
    with pytest.raises(Invalid, match="credentials_foreign"):
        await start(accounts, tmp_path / "theirs.json")
