"""The first story, from the user's side: a directory and a bucket backed up, opened, and a file taken out."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from cairn_local.api import Api

from tests.e2e.conftest import CANARY, Directory
from tests.support.s3 import S3Server


def test_directory_is_backed_up_browsed_and_downloaded(
    api: Api, directory: Directory, tree: Path, tmp_path: Path
) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")

    before = api.post(f"/connectors/{store}/test")
    assert before["initialized"] is False
    api.post(f"/connectors/{store}/stores/create")
    assert api.post(f"/connectors/{store}/test")["initialized"] is True
    report = api.post(f"/connectors/{source}/test")
    assert report["ok"] is True
    assert report["initialized"] is None
    assert all(check["duration_ms"] >= 0 for check in report["checks"])

    job = api.wait_for_run(api.start_backup(source, store, {"labels": ["first", "second"]}))
    assert job["status"] == "succeeded", api.job_log(job["id"])
    assert api.job_log(job["id"]).strip()

    [point] = api.snapshots(store)
    assert len(point["snapshot_id"]) == 64
    assert point["tags"] == ["first", "second"]
    listed = {e["path"]: e for e in api.files(point["snapshot_id"])}
    assert set(listed) == {
        "/documents", "/..hidden", "/line\nbreak", "/" + "n" * 255, "/link", "/caf\\xe9.txt"
    }  # fmt: skip
    assert listed["/documents"]["type"] == "dir"
    assert [e["name"] for e in api.files(point["snapshot_id"], "/documents")] == [
        "empty", "letter.txt", "nothing", "random.bin"
    ]  # fmt: skip
    assert list(api.files(point["snapshot_id"], "/documents/empty")) == []

    for path in (
        "documents/letter.txt",
        "documents/random.bin",
        "documents/nothing",
        "..hidden",
        "line\nbreak",
        "n" * 255,
    ):
        assert api.content(point["snapshot_id"], f"/{path}").content == (tree / path).read_bytes()
    shown = api.content(point["snapshot_id"], "/caf\\xe9.txt").content
    raw = api.call("GET", f"/snapshots/{point['snapshot_id']}/content?path=/caf%E9.txt").content
    assert shown == raw == b"this name is not UTF-8"


def test_download_honours_range_and_etag(api: Api, directory: Directory, tree: Path, tmp_path: Path) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    api.wait_for_run(api.start_backup(source, store))
    snapshot = api.snapshots(store)[0]["snapshot_id"]
    whole = (tree / "documents" / "random.bin").read_bytes()

    full = api.content(snapshot, "/documents/random.bin")
    assert full.status_code == 200
    assert full.headers["content-length"] == str(len(whole))
    assert "random.bin" in full.headers["content-disposition"]
    etag = full.headers["etag"]

    for header, expected in {
        "bytes=0-0": whole[:1],
        "bytes=1000-1999": whole[1000:2000],
        "bytes=-500": whole[-500:],
        f"bytes={len(whole) - 7}-": whole[-7:],
        "bytes=2000000-2999999999": whole[2_000_000:],
    }.items():
        part = api.content(snapshot, "/documents/random.bin", headers={"Range": header})
        assert (part.status_code, part.content) == (206, expected), header
        assert part.headers["content-range"].endswith(f"/{len(whole)}")
    query = f"/snapshots/{snapshot}/content?path={quote('/documents/random.bin', safe='')}"
    unchanged = api._http.get(query, headers={"If-None-Match": etag})
    assert unchanged.status_code == 304
    past = api._http.get(query, headers={"Range": f"bytes={len(whole)}-"})
    assert past.status_code == 416
    other = api._http.get(query, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, len(whole))


def test_bucket_is_backed_up_into_a_bucket(api: Api, inventory: str, s3: S3Server) -> None:
    content = os.urandom(500_000)
    s3.fill({"year/2026/report.bin": content}, "documents")
    body = {
        "urn": "urn:e2e:s3", "name": "s3", "class": "object-storage", "subclass": "s3", "service": "",
        "endpoints": [{"endpoint": "127.0.0.1"}], "tags": None,
    }  # fmt: skip
    urn_id = api.create_resource(inventory, body)
    source = api.create_connector(
        "source", name="docs", integration="s3", urn_id=urn_id, fields=s3.fields("documents", port=str(s3.port))
    )
    store = api.create_connector(
        "store", name="vault", integration="s3", urn_id=urn_id,
        fields=s3.fields("backups/cairn", port=str(s3.port), passphrase=f"{CANARY}-s3-passphrase"),
    )  # fmt: skip

    assert api.post(f"/connectors/{source}/test")["ok"] is True
    api.post(f"/connectors/{store}/stores/create")
    assert api.post(f"/connectors/{store}/test")["initialized"] is True
    job = api.wait_for_run(api.start_backup(source, store))
    assert job["status"] == "succeeded", api.job_log(job["id"])

    [point] = api.snapshots(store)
    assert [e["path"] for e in api.files(point["snapshot_id"], "/year/2026")] == ["/year/2026/report.bin"]
    assert api.content(point["snapshot_id"], "/year/2026/report.bin").content == content


def test_unchanged_source_gives_a_second_restore_point_with_the_same_files(
    api: Api, directory: Directory, tree: Path, tmp_path: Path
) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    for _ in range(2):
        assert api.wait_for_run(api.start_backup(source, store))["status"] == "succeeded"

    newest, oldest = sorted(api.snapshots(store), key=lambda p: p["creation_time"], reverse=True)
    assert newest["snapshot_id"] != oldest["snapshot_id"]
    assert list(api.files(newest["snapshot_id"])) == list(api.files(oldest["snapshot_id"]))


def test_job_can_be_followed_and_cancelled(api: Api, directory: Directory, tmp_path: Path) -> None:
    root = tmp_path / "big"
    root.mkdir()
    for n in range(12):
        (root / f"{n}.bin").write_bytes(os.urandom(64_000_000))
    _, source = directory("source", root)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    asked: list[str] = []

    def cancel_when_running(job: dict[str, object]) -> None:
        if job["status"] == "running" and not asked:
            api.post(f"/scheduling/jobs/{job['id']}/cancel")
            asked.append(str(job["id"]))

    job = api.wait_for_run(api.start_backup(source, store), watch=cancel_when_running)
    assert asked
    assert job["status"] == "canceled"
    assert api.snapshots(store) == []
    with pytest.raises(Exception, match="409"):
        api.post(f"/scheduling/jobs/{job['id']}/cancel")
