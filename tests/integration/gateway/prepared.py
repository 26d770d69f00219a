"""An organization in which every route has something to work on."""

from dataclasses import dataclass
from pathlib import Path

from tests.integration.gateway.client import Client, Json

PASSPHRASE = "a passphrase"


@dataclass(frozen=True)
class Prepared:
    """Ids by the names that the API's document gives them; what `removable` holds may be changed and removed."""

    ids: dict[str, list[str]]
    removable: dict[str, list[str]]


async def prepare(api: Client, files: Path, *, removable: int = 5) -> Prepared:
    """Make it: two restore points of a source in a store, and things of each kind to spare. `files` is free."""
    source_root, store_root = files / "source", files / "store"
    (source_root / "docs").mkdir(parents=True)
    (source_root / "docs" / "letter.txt").write_text("Dear reader\n")
    (source_root / "big.bin").write_bytes(bytes(100_000))
    inventory = await api.inventory("prepared")
    urn_id = await api.resource(inventory, "urn:prepared")
    source = (await api.connector("source", urn_id, {"root": str(source_root)}))["id"]
    store = (await api.connector("store", urn_id, {"root": str(store_root), "passphrase": PASSPHRASE}))["id"]
    await api.post(f"/connectors/{store}/stores/create")
    runs = [await _back_up(api, source, store)]
    (source_root / "docs" / "answer.txt").write_text("Dear writer\n")
    runs.append(await _back_up(api, source, store))
    points = (await api.get(f"/snapshots/store/{store}"))["items"]
    installed = (await api.get("/integrations/installed"))["items"]
    bundles = [await _bundle(api, path, "kept") for path in (api.org("/bundles"), f"/bundles/inventories/{inventory}")]
    members = (await api.get(api.org("/access")))["items"]
    ids = {
        "org": [api.organization_id],
        "inv": [inventory],
        "urn_id": [urn_id],
        "connector": [source, store],
        "source_id": [source],
        "store_id": [store],
        "snapshot_id": [p["snapshot_id"] for p in points],
        "other_id": [p["snapshot_id"] for p in points],
        "at_id": [run["at_id"] for run in runs],
        "job_id": [run["job_id"] for run in runs],
        "grant": [m["id"] for m in members],
        "integration": [each["id"] for each in installed],
        "name": [*(each["name"] for each in installed), "production"],
        "bundle": bundles,
    }
    spare = await _spare(api, files, inventory, urn_id, removable)
    return Prepared(ids, spare | {"integration": [each["id"] for each in installed if each["name"] != "fs"]})


async def _back_up(api: Client, source: str, store: str) -> Json:
    body = {"type": "backup", "origin_id": source, "target_id": store}
    at_id = (await api.post("/scheduling/scheduler/run", body))["id"]
    job = await api.finished(at_id)
    assert job["status"] == "succeeded", job
    return {"at_id": at_id, "job_id": job["id"]}


async def _bundle(api: Client, path: str, name: str) -> str:
    # For connectors of a class that there is none of: it fills nothing in.
    return str((await api.post(path, {"name": name, "resource_classes": ["teapot"], "fields": {}}))["id"])


async def _spare(api: Client, files: Path, inventory: str, urn_id: str, number: int) -> dict[str, list[str]]:
    spare: dict[str, list[str]] = {"inv": [], "urn_id": [], "connector": [], "name": [], "bundle": []}
    for place in range(number):
        spare["name"].append(label := f"spare {files.name} {place}")
        for labels in ("environments", "data_classes"):
            await api.post(api.org(f"/{labels}"), {"name": label})
        for path in (api.org("/bundles"), f"/bundles/inventories/{inventory}"):
            spare["bundle"].append(await _bundle(api, path, f"spare {place}"))
        spare["inv"].append(await api.inventory(f"spare {place}"))
        spare["urn_id"].append(await api.resource(inventory, f"urn:spare:{place}"))
        fields = {"root": str(files / f"spare-{place}"), "passphrase": PASSPHRASE}
        spare["connector"].append((await api.connector("store", urn_id, fields))["id"])
    return spare | {"store_id": spare["connector"]}
