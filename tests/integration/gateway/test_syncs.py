"""Copies of restore points from store to store, as clients ask for them."""

from pathlib import Path

from tests.integration.gateway.client import Client, Json
from tests.integration.gateway.conftest import Platform


async def ran(api: Client, kind: str, origin: str, target: str, **config: object) -> Json:
    body = {"type": kind, "origin_id": origin, "target_id": target, "config": config}
    job = await api.finished((await api.post("/scheduling/scheduler/run", body))["id"])
    assert job["status"] == "succeeded", job
    return job


async def test_a_sync_copies_what_its_options_choose_and_the_copy_names_its_original(
    platform: Platform, api: Client, tmp_path: Path
) -> None:
    root = platform.files / tmp_path.name
    root.mkdir()
    (root / "letter.txt").write_text("Dear reader\n")
    urn_id = await api.resource(await api.inventory())
    source = (await api.connector("source", urn_id, {"root": str(root)}))["id"]
    store, replica = [
        (await api.connector("store", urn_id, {"root": f"{root}-{name}", "passphrase": f"of the {name}"}))["id"]
        for name in ("store", "replica")
    ]
    await api.post(f"/connectors/{store}/stores/create")
    unknown = await api.problem("POST", f"/connectors/{replica}/stores/create", json={"chunker_of": "nothing"})
    assert (unknown["status"], [each["field"] for each in unknown["fields"]]) == (400, ["chunker_of"])
    assert (await api.post(f"/connectors/{replica}/stores/create", {"chunker_of": store}))["adopted"] is False
    await ran(api, "backup", source, store, labels=["weekly"])
    await ran(api, "backup", source, store)

    job = await ran(api, "sync", store, replica, labels=["weekly"], after="", locate=None)
    itself = {"type": "sync", "origin_id": store, "target_id": store}
    refused = await api.problem("POST", "/scheduling/scheduler/run", json=itself)

    [original] = [p for p in (await api.get(f"/snapshots/store/{store}"))["items"] if p["tags"]]
    [copy] = (await api.get(f"/snapshots/store/{replica}"))["items"]
    assert (job["result"]["points_chosen"], job["result"]["points_copied"]) == (1, 1)
    assert copy["original"] == original["snapshot_id"] != copy["snapshot_id"]
    assert copy["replica_of"] == {"snapshot_id": original["snapshot_id"], "store_id": store}
    assert (copy["source_id"], copy["creation_time"]) == (source, original["creation_time"])
    assert (original["original"], original["replica_of"]) == (None, None)
    assert (await api.get(f"/snapshots/{copy['snapshot_id']}/files?path=/"))["items"][0]["name"] == "letter.txt"
    assert refused["code"] == "target_is_origin"
