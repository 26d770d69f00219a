"""`cairn secrets rotate` replaces the master key of a platform at work."""

import json
from pathlib import Path

from cairn_local.api_client import Api

from tests.e2e.conftest import CANARY, Directory, Platform
from tests.e2e.kept import files_with


def test_the_master_key_is_replaced(
    platform: Platform, api: Api, directory: Directory, tree: Path, tmp_path: Path
) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    path = platform.state.key("master")
    old = path.read_text().strip()

    running = api.start_backup(source, store)
    told = platform.cairn("secrets", "rotate", "--grace", "2").stdout
    assert "The master key is replaced." in told
    assert api.wait_for_run(running)["status"] == "succeeded"

    new = path.read_text().strip()
    assert new != old
    status = platform.cairn("secrets", "status")
    [key] = json.loads(platform.cairn("secrets", "status", "--json").stdout)["keys"]
    assert key["role"] == "current"
    assert all(key["values"][kind] for kind in ("data keys", "connectors", "copies of workers")), key
    assert key["id"] in status.stdout

    assert api.get(f"/connectors/{store}")["fields"]["passphrase"]["value"] == f"{CANARY}-passphrase"
    assert api.post(f"/connectors/{store}/test")["ok"]
    assert api.wait_for_run(api.start_backup(source, store))["status"] == "succeeded"
    # The new key is found by the search that does not find the old one.
    assert files_with(new.encode(), platform.home) == [str(path)]
    assert files_with(old.encode(), platform.home) == []
    assert not [text for text in (old, new) if text in told + status.stdout + status.stderr]
