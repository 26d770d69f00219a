"""A store whose packs were moved to an archive: browsed as ever, downloaded from once they are thawed."""

from tests.integration.gateway.client import Client
from tests.integration.gateway.conftest import Platform
from tests.support.s3 import BUCKET, moto_s3


async def test_archived_files_are_browsed_and_ask_to_be_thawed(platform: Platform, api: Client) -> None:
    root = platform.files / "frozen"
    root.mkdir()
    (root / "letter.txt").write_text("kept cold")
    with moto_s3() as server:
        inventory = await api.inventory()
        files = await api.resource(inventory)
        bucket = await api.resource(inventory, "urn:bucket", **{"class": "object-storage", "subclass": "s3"})
        fields = server.fields(f"{BUCKET}/frozen", passphrase="a passphrase")
        source = (await api.connector("source", files, {"root": str(root)}))["id"]
        endpoints = [{"endpoint": server.endpoint}]
        store = (await api.connector("store", bucket, fields, protocol="s3", endpoints=endpoints))["id"]
        await api.post(f"/connectors/{store}/stores/create")
        run = {"type": "backup", "origin_id": source, "target_id": store}
        assert (await api.finished((await api.post("/scheduling/scheduler/run", run))["id"]))["status"] == "succeeded"
        [point] = (await api.get(f"/snapshots/store/{store}"))["items"]
        client, content = server.client(), f"/snapshots/{point['snapshot_id']}/content?path=/letter.txt"
        packs = [o["Key"] for o in client.list_objects_v2(Bucket=BUCKET, Prefix="frozen/data/")["Contents"]]
        for key in packs:
            itself = {"Bucket": BUCKET, "Key": key}
            client.copy_object(**itself, CopySource=itself, StorageClass="GLACIER")

        listed = await api.get(f"/snapshots/{point['snapshot_id']}/files")
        problem = await api.problem("GET", content)
        assert [each["name"] for each in listed["items"]] == ["letter.txt"]
        assert (problem["status"], problem["code"]) == (409, "thaw_required")
        assert any(key.removeprefix("frozen/") in problem["detail"] for key in packs)

        for key in packs:
            client.restore_object(Bucket=BUCKET, Key=key, RestoreRequest={"Days": 1})
        assert (await api.call("GET", content)).text == "kept cold"
