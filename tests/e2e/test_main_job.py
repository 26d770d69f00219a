"""The first story, from the user's side: a directory and a bucket backed up, opened, and a file taken out."""

import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cairn_local.api_client import Api, ApiProblem

from tests.e2e.conftest import CANARY, Directory
from tests.support.bodies import a_bucket_body
from tests.support.s3 import S3Server

PLAIN_FILES = (
    "documents/letter.txt",
    "documents/random.bin",
    "documents/nothing",
    "..hidden",
    "line\nbreak",
    "n" * 255,
)


@dataclass(frozen=True)
class Stored:
    """A tree, the store it was backed up into, and the restore point."""

    tree: Path
    store: str
    point: dict[str, Any]

    @property
    def snapshot(self) -> str:
        """Id of the restore point."""
        return str(self.point["snapshot_id"])


@pytest.fixture
def stored(api: Api, directory: Directory, tree: Path, tmp_path: Path) -> Stored:
    """The tree in a restore point, the only one of its store."""
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    job = api.wait_for_run(api.start_backup(source, store, {"labels": ["first", "second"]}))
    assert job["status"] == "succeeded", api.job_log(job["id"])
    assert api.job_log(job["id"]).strip()
    [point] = api.snapshots(store)
    return Stored(tree, store, point)


def test_apps_are_tested_and_a_store_is_created(api: Api, directory: Directory, tree: Path, tmp_path: Path) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")

    assert api.post(f"/connectors/{store}/test")["initialized"] is False
    api.post(f"/connectors/{store}/stores/create")
    assert api.post(f"/connectors/{store}/test")["initialized"] is True
    report = api.post(f"/connectors/{source}/test")
    assert report["ok"] is True
    assert report["initialized"] is None
    assert all(check["duration_ms"] >= 0 for check in report["checks"])


def test_directory_is_backed_up_and_browsed(api: Api, stored: Stored) -> None:
    assert len(stored.snapshot) == 64
    assert stored.point["tags"] == ["first", "second"]
    listed = {e["path"]: e for e in api.files(stored.snapshot)}
    assert set(listed) == {
        "/documents", "/..hidden", "/line\nbreak", "/" + "n" * 255, "/link", "/caf\\xe9.txt"
    }  # fmt: skip
    assert listed["/documents"]["type"] == "dir"
    assert [e["name"] for e in api.files(stored.snapshot, "/documents")] == [
        "empty", "letter.txt", "nothing", "random.bin"
    ]  # fmt: skip
    assert list(api.files(stored.snapshot, "/documents/empty")) == []


def test_files_are_downloaded_whatever_their_names(api: Api, stored: Stored) -> None:
    for path in PLAIN_FILES:
        assert api.content(stored.snapshot, f"/{path}").content == (stored.tree / path).read_bytes()
    shown = api.content(stored.snapshot, "/caf\\xe9.txt").content
    raw = api.call("GET", f"/snapshots/{stored.snapshot}/content?path=/caf%E9.txt").content
    assert shown == raw == b"this name is not UTF-8"


def test_download_honours_ranges(api: Api, stored: Stored) -> None:
    path, whole = "/documents/random.bin", (stored.tree / "documents" / "random.bin").read_bytes()
    for header, expected in {
        "bytes=0-0": whole[:1],
        "bytes=1000-1999": whole[1000:2000],
        "bytes=-500": whole[-500:],
        f"bytes={len(whole) - 7}-": whole[-7:],
        "bytes=2000000-2999999999": whole[2_000_000:],
    }.items():
        part = api.content(stored.snapshot, path, headers={"Range": header})
        assert (part.status_code, part.content) == (206, expected), header
        assert part.headers["content-range"].endswith(f"/{len(whole)}")
    with pytest.raises(ApiProblem) as past:
        api.content(stored.snapshot, path, headers={"Range": f"bytes={len(whole)}-"})
    assert past.value.status == 416


def test_download_honours_the_etag(api: Api, stored: Stored) -> None:
    path, size = "/documents/random.bin", (stored.tree / "documents" / "random.bin").stat().st_size
    full = api.content(stored.snapshot, path)
    assert full.status_code == 200
    assert full.headers["content-length"] == str(size)
    assert "random.bin" in full.headers["content-disposition"]

    unchanged = api.content(stored.snapshot, path, headers={"If-None-Match": full.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    other = api.content(stored.snapshot, path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, size)


def test_bucket_is_backed_up_into_a_bucket(api: Api, inventory: str, s3: S3Server) -> None:
    content = os.urandom(500_000)
    s3.fill({"year/2026/report.bin": content}, "documents")
    urn_id = api.create_resource(inventory, a_bucket_body("urn:e2e:s3", endpoint="127.0.0.1", tags=None))
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
    link = api.post(f"/snapshots/{point['snapshot_id']}/links", {"paths": ["/year"]})["url"]
    with zipfile.ZipFile(io.BytesIO(httpx.get(link, trust_env=False).content)) as zipped:
        assert zipped.read("year/2026/report.bin") == content


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
    with pytest.raises(ApiProblem) as refused:
        api.post(f"/scheduling/jobs/{job['id']}/cancel")
    assert (refused.value.status, refused.value.code) == (409, "job_finished")


def test_a_job_is_retried_as_a_new_one_that_names_it(api: Api, directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a").write_bytes(b"a")
    _, source = directory("source", tmp_path / "few")
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    first = api.wait_for_run(api.start_backup(source, store))

    again = api.post(f"/scheduling/jobs/{first['id']}/retry")
    ended = api.wait_for_run(again["run_id"])

    assert (again["retry_of"], ended["id"], ended["status"]) == (first["id"], again["id"], "succeeded")
    assert ended["task"] == first["task"]
    assert api.get(f"/scheduling/jobs/{first['id']}")["retried_by"] == ended["id"]
    for asked, found in (
        ({"resource_id": source}, [ended["id"], first["id"]]),
        ({"resource_id": source, "resource_type": "target"}, []),
        ({"resource_id": store, "resource_type": "target", "limit": 1}, [ended["id"]]),
        ({"resource_id": store, "since": "2026-01-01T00:00:00Z", "task_status": "failed"}, []),
    ):
        assert [job["id"] for job in api.get("/scheduling/jobs", **asked)["items"]][: len(found) + 1] == found
    api.delete(f"/connectors/{source}")
    with pytest.raises(ApiProblem) as refused:
        api.post(f"/scheduling/jobs/{first['id']}/retry")
    assert refused.value.status == 404
