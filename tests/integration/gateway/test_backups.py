"""Runs, jobs, restore points and the files in them."""

import asyncio
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from pymongo import MongoClient

from tests.integration.gateway.client import Client, Json
from tests.integration.gateway.conftest import Platform
from tests.support.waiting import eventually_async

BIG = 48 << 20
ODD_NAMES = {
    b"two\nlines.txt": "attachment; filename=\"two_lines.txt\"; filename*=UTF-8''two%0Alines.txt",
    "grün.txt".encode(): "attachment; filename=\"gr_n.txt\"; filename*=UTF-8''gr%C3%BCn.txt",
    b'say "hi".txt': "attachment; filename=\"say _hi_.txt\"; filename*=UTF-8''say%20%22hi%22.txt",
    b"no\xffutf8": "attachment; filename=\"no_xffutf8\"; filename*=UTF-8''no%5Cxffutf8",
    b"100%;a=b.txt": "attachment; filename=\"100_;a=b.txt\"; filename*=UTF-8''100%25%3Ba%3Db.txt",
    b"x" * 255: f"attachment; filename=\"{'x' * 255}\"; filename*=UTF-8''{'x' * 255}",
}
"""Names of files, and how a download tells them."""


@dataclass
class Backup:
    """One finished backup."""

    source: str
    store: str
    run_id: str
    job: Json
    snapshot_id: str
    root: Path

    def content(self, path: str) -> str:
        """Where a file is downloaded."""
        return f"/snapshots/{self.snapshot_id}/content?path={quote(path, safe='')}"


async def connectors(platform: Platform, api: Client, root: Path) -> tuple[str, str]:
    """A source and an initialized store."""
    urn_id = await api.resource(await api.inventory())
    source = (await api.connector("source", urn_id, {"root": str(root)}))["id"]
    place = platform.files / f"store-of-{root.name}"
    store = (await api.connector("store", urn_id, {"root": str(place), "passphrase": "a passphrase"}))["id"]
    await api.post(f"/connectors/{store}/stores/create")
    return source, store


def a_run(source: str, store: str, **changes: object) -> Json:
    return {"type": "backup", "origin_id": source, "target_id": store} | changes


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def backup(platform: Platform) -> Backup:
    """A directory with ordinary and odd names, backed up."""
    from tests.integration.gateway.client import log_in

    root = platform.files / "tree"
    (root / "documents" / "empty").mkdir(parents=True)
    (root / "documents" / "letter.txt").write_bytes(b"Dear reader,\n" * 1000)
    (root / "documents" / "big.bin").write_bytes(os.urandom(BIG))
    (root / "..dots").write_text("two dots begin this name")
    (root / "a+b & c=d.txt").write_text("plus, ampersand, equals")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_text("this name is not UTF-8")
    (root / "names").mkdir()
    for name in ODD_NAMES:
        Path(os.fsdecode(os.fsencode(root) + b"/names/" + name)).write_bytes(name)
    async with log_in(platform.url, platform.credentials) as api:
        source, store = await connectors(platform, api, root)
        run = await api.post(
            "/scheduling/scheduler/run",
            a_run(source, store, config={"labels": ["z", "a"], "ignores": None, "more": 1}, edge_tags=None),
        )
        job = await api.finished(run["id"])
        assert job["status"] == "succeeded", (await api.call("GET", f"/scheduling/jobs/{job['id']}/log")).text
        [point] = (await api.get(f"/snapshots/store/{store}"))["items"]
        return Backup(source, store, run["id"], job, point["snapshot_id"], root)


async def test_job_tells_what_was_done(api: Client, backup: Backup) -> None:
    job = await api.get(f"/scheduling/jobs/{backup.job['id']}")
    assert job == backup.job
    assert (job["run_id"], job["task"]["type"]) == (backup.run_id, "backup")
    assert (job["task"]["origin"]["id"], job["task"]["target"]["id"]) == (backup.source, backup.store)
    assert job["task"]["config"]["labels"] == ["z", "a"]
    for time in ("created_at", "started_at", "stopped_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job[time]), job
    state = await api.get(f"/scheduling/jobs/{job['id']}/state")
    assert (state["id"], state["status"]) == (job["id"], "succeeded")


async def test_a_job_that_is_over_tells_all_of_its_run(api: Client, backup: Backup) -> None:
    state = await api.get(f"/scheduling/jobs/{backup.job['id']}/state")
    done = backup.job["backup"]
    assert (state["phase"], state["progress"]["fraction"], state["snapshot_id"]) == ("done", 1, backup.snapshot_id)
    assert state["processed"] == {"items": done["files_processed"], "bytes": done["bytes_processed"]}
    assert state["result"]["size"] == done["bytes_processed"]
    assert [phase["name"] for phase in state["phases"]] == ["preparing", "transferring", "indexing"]
    assert all(phase["seconds"] is not None for phase in state["phases"])
    assert sum(phase["seconds"] for phase in state["phases"]) <= state["result"]["duration"]
    assert state["network"]
    assert len(state["series"]) == len(state["network"])
    [listed] = [each for each in (await api.get("/scheduling/jobs"))["items"] if each["id"] == state["id"]]
    assert "series" not in listed


async def test_a_log_is_followed_by_offset(api: Client, backup: Backup) -> None:
    path = f"/scheduling/jobs/{backup.job['id']}/log"
    whole = (await api.call("GET", path)).text.splitlines()
    for offset in (0, 1, len(whole)):
        answer = await api.call("GET", path, params={"offset": offset})
        assert answer.text.splitlines() == whole[offset:]
        assert answer.headers["Cairn-Next-Offset"] == str(len(whole))
        assert answer.headers["Cairn-Log-Complete"] == "true"
    assert (await api.problem("GET", path, params={"offset": -1}))["status"] == 400


async def test_log_is_plain_text(api: Client, backup: Backup) -> None:
    answer = await api.call("GET", f"/scheduling/jobs/{backup.job['id']}/log")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.strip()
    with pytest.raises(ValueError, match=r"."):
        answer.json()


async def test_jobs_are_listed_newest_first_with_filters(api: Client, backup: Backup) -> None:
    listed = await api.get("/scheduling/jobs", limit=200)
    assert backup.job in listed["items"]
    times = [j["created_at"] for j in listed["items"]]
    assert times == sorted(times, reverse=True)
    assert (await api.get("/scheduling/jobs", task_type="restore"))["items"] == []
    done = await api.get("/scheduling/jobs", task_type="backup", task_status="succeeded", limit=200)
    assert backup.job["id"] in [j["id"] for j in done["items"]]
    assert (await api.get("/scheduling/jobs", limit=200, offset=10_000))["items"] == []
    for odd in ({"task_type": "dance"}, {"task_status": "x"}, {"limit": -1}):
        assert (await api.problem("GET", "/scheduling/jobs", params=odd))["status"] == 400


async def test_restore_point_is_listed_when_its_run_is_over(api: Client, backup: Backup) -> None:
    page = await api.get(f"/snapshots/store/{backup.store}")
    [point] = page["items"]
    assert (page["total"], len(point["snapshot_id"])) == (1, 64)
    assert (point["tags"], point["source_id"], point["job_id"]) == (["z", "a"], backup.source, backup.job["id"])
    assert point["browsable"] is True
    assert point["creation_time"] <= backup.job["stopped_at"]
    assert (await api.problem("GET", "/snapshots/store/nothing"))["code"] == "app_not_found"


async def test_directories_are_browsed_page_by_page(api: Client, backup: Backup) -> None:
    root = await api.get(f"/snapshots/{backup.snapshot_id}/files")
    assert root["total"] == len(root["items"]) == 5
    assert {e["path"] for e in root["items"]} == {"/..dots", "/a+b & c=d.txt", "/caf\\xe9.txt", "/documents", "/names"}
    assert root["items"][0].keys() >= {"name", "path", "type", "size", "mtime", "mode"}
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        query = f"path=/documents&limit=1&cursor={quote(cursor)}"
        page = await api.get(f"/snapshots/{backup.snapshot_id}/files?{query}")
        seen += [e["name"] for e in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["big.bin", "empty", "letter.txt"]


async def test_files_come_byte_for_byte(api: Client, backup: Backup) -> None:
    for name in ("documents/letter.txt", "..dots", "a+b & c=d.txt", "documents/big.bin"):
        answer = await api.call("GET", backup.content(f"/{name}"))
        assert (answer.status_code, answer.content) == (200, (backup.root / name).read_bytes()), name
        assert answer.headers["content-length"] == str((backup.root / name).stat().st_size)
        assert answer.headers["x-content-type-options"] == "nosniff"
    for query in ("path=/caf%E9.txt", "path=%2Fcaf%5Cxe9.txt"):
        answer = await api.call("GET", f"/snapshots/{backup.snapshot_id}/content?{query}")
        assert answer.text == "this name is not UTF-8", query
    plus = await api.call("GET", f"/snapshots/{backup.snapshot_id}/content?path=/a%2Bb+%26+c%3Dd.txt")
    assert plus.text == "plus, ampersand, equals"


@pytest.mark.parametrize(("name", "disposition"), ODD_NAMES.items())
async def test_downloads_tell_odd_names(api: Client, backup: Backup, name: bytes, disposition: str) -> None:
    answer = await api.call("GET", f"/snapshots/{backup.snapshot_id}/content?path=/names/{quote(name, safe='')}")
    assert (answer.status_code, answer.content) == (200, name)
    assert answer.headers["content-disposition"] == disposition


async def test_parts_and_conditions(api: Client, backup: Backup) -> None:
    path, whole = backup.content("/documents/letter.txt"), (backup.root / "documents" / "letter.txt").read_bytes()
    head = await api.call("HEAD", path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole)))
    etag = head.headers["etag"]
    assert "letter.txt" in head.headers["content-disposition"]
    part = await api.call("GET", path, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(whole)}"
    assert (await api.call("GET", path, headers={"If-None-Match": etag})).status_code == 304
    for condition, status in (("If-None-Match", 200), ("If-Range", 200), ("Range", 200), ("If-Match", 412)):
        odd = await api.call("GET", path, headers=[(condition.encode(), b'"caf\xe9"')])
        assert odd.status_code == status, condition
    changed = await api.call("GET", path, headers={"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"})
    assert (changed.status_code, changed.json()["code"]) == (412, "precondition_failed")
    other = await api.call("GET", path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, whole)
    past = await api.call("GET", path, headers={"Range": f"bytes={len(whole)}-"})
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    assert (past.json()["code"], past.json()["instance"]) == (
        "range_not_satisfiable",
        f"/api/v1/snapshots/{backup.snapshot_id}/content",
    )


@pytest.mark.parametrize(
    ("path", "content", "files"),
    [
        ("/documents/../..dots", "path_invalid", "path_invalid"),
        ("/nothing", "path_not_found", "path_not_found"),
        ("/documents/letter.txt/x", "path_not_found", "path_not_found"),
        ("", "path_missing", "path_invalid"),
        ("relative", "path_invalid", "path_invalid"),
        ("/%00", "request_invalid", "request_invalid"),
    ],
)
async def test_bad_paths_are_problems(api: Client, backup: Backup, path: str, content: str, files: str) -> None:
    for area, code in (("content", content), ("files", files)):
        problem = await api.problem("GET", f"/snapshots/{backup.snapshot_id}/{area}?path={path}")
        expected = 404 if code == "path_not_found" else 400
        assert (problem["code"], problem["status"]) == (code, expected), area


async def test_directory_is_not_downloaded_and_file_not_listed(api: Client, backup: Backup) -> None:
    whole = await api.problem("GET", backup.content("/documents"))
    assert (whole["status"], whole["code"]) == (400, "not_a_file")
    files = f"/snapshots/{backup.snapshot_id}/files"
    listed = await api.problem("GET", f"{files}?path=/documents/letter.txt")
    assert (listed["status"], listed["code"]) == (400, "not_a_directory")
    for odd in ("limit=-1", "limit=x", "limit=0", "cursor=rubbish"):
        assert (await api.problem("GET", f"{files}?path=/&{odd}"))["status"] == 400, odd
    missing = await api.call("HEAD", backup.content("/nothing"))
    assert (missing.status_code, missing.content) == (404, b"")


async def test_unknown_restore_point_is_404(api: Client) -> None:
    for snapshot in ("0" * 64, "nothing", "..", "%2e%2e", "a%00", "x" * 300, "%ff"):
        for area in ("files?path=/", "content?path=/x"):
            assert (await api.problem("GET", f"/snapshots/{snapshot}/{area}"))["status"] == 404, snapshot


async def test_download_that_is_left_ends_at_the_worker_too(platform: Platform, api: Client, backup: Backup) -> None:
    def streams() -> int:
        port, found = platform.ports["connector"], 0
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                _, _, remote, state, *_ = line.split()
                found += remote.endswith(f":{port:04X}") and state == "01"
        return found

    async with api.http.stream("GET", f"/api/v1{backup.content('/documents/big.bin')}") as answer:
        await anext(answer.aiter_raw(1000))
        during = streams()
    assert during
    await eventually_async(lambda: streams() < during)
    assert (await api.call("GET", backup.content("/..dots"))).status_code == 200


async def test_worker_killed_during_a_download_breaks_only_that(
    platform: Platform, api: Client, backup: Backup
) -> None:
    async with api.http.stream("GET", f"/api/v1{backup.content('/documents/big.bin')}") as answer:
        body = answer.aiter_raw(1000)
        await anext(body)
        platform.running["connector"].kill()
        with pytest.raises(httpx.RemoteProtocolError):
            async for _ in body:
                pass
    assert (await api.problem("GET", backup.content("/..dots")))["status"] == 503
    platform.start("connector")
    await platform.ready()
    assert (await api.call("GET", backup.content("/..dots"))).status_code == 200


async def test_up_to_two_hundred_jobs_are_listed_at_once(platform: Platform, api: Client, backup: Backup) -> None:
    worker = platform.running["connector"].process
    worker.send_signal(signal.SIGSTOP)
    try:
        body = a_run(backup.source, backup.store)
        runs = await asyncio.gather(*(api.post("/scheduling/scheduler/run", body) for _ in range(52)))
        page = await api.get("/scheduling/jobs", limit=200, task_status="queued")
        assert {r["job_id"] for r in runs} <= {j["id"] for j in page["items"]}
        assert len((await api.get("/scheduling/jobs", task_status="queued"))["items"]) == 50
        await asyncio.gather(*(api.post(f"/scheduling/jobs/{r['job_id']}/cancel") for r in runs))
    finally:
        worker.send_signal(signal.SIGCONT)
    jobs = await asyncio.gather(*(api.finished(r["id"]) for r in runs))
    assert {j["status"] for j in jobs} == {"canceled"}
    assert len((await api.get(f"/snapshots/store/{backup.store}"))["items"]) == 1


async def test_many_downloads_at_once_are_whole(api: Client, backup: Backup) -> None:
    whole = (backup.root / "documents" / "big.bin").read_bytes()

    async def part(n: int) -> bool:
        first = n * 1_000_003
        headers = {"Range": f"bytes={first}-{first + 700_000}"}
        answer = await api.call("GET", backup.content("/documents/big.bin"), headers=headers)
        return answer.content == whole[first : first + 700_001]

    assert all(await asyncio.gather(*(part(n) for n in range(24))))


async def test_wrong_runs_are_refused(platform: Platform, api: Client, backup: Backup) -> None:
    path = "/scheduling/scheduler/run"
    for body, status in (
        ({}, 400),
        ({"type": "dance", "origin_id": backup.source}, 400),
        ({"type": "backup", "origin_id": backup.source}, 400),
        (a_run("nothing", backup.store), 404),
        (a_run("nothing/", backup.store), 404),
        (a_run(backup.source, "a/b"), 404),
        (a_run(backup.source, "nothing"), 404),
        (a_run(backup.store, backup.source), 400),
        (a_run(backup.source, backup.store, config={"labels": "x"}), 400),
        (a_run(backup.source, backup.store, edge_tags=["paris"]), 409),
    ):
        problem = await api.problem("POST", path, json=body)
        assert problem["status"] == status, (body, problem)
    assert (await api.problem("GET", f"{path}/nothing"))["code"] == "run_not_found"
    for area in ("", "/log", "/state"):
        assert (await api.problem("GET", f"/scheduling/jobs/nothing{area}"))["code"] == "job_not_found"
        told = await api.problem("GET", f"/scheduling/jobs/{backup.run_id}{area}")
        assert (told["status"], told["code"]) == (404, "id_of_run")
        assert backup.job["id"] in told["detail"]
    for path in ("/scheduling/jobs/nothing/cancel", "/scheduling/scheduler/jobs/cancel/nothing"):
        assert (await api.problem("POST", path))["code"] == "job_not_found"
    assert (await api.problem("POST", f"/scheduling/jobs/{backup.run_id}/cancel"))["code"] == "id_of_run"
    assert (await api.problem("GET", f"/scheduling/scheduler/run/{backup.job['id']}"))["code"] == "id_of_job"
    finished = await api.problem("POST", f"/scheduling/jobs/{backup.job['id']}/cancel")
    assert (finished["status"], finished["code"]) == (409, "job_finished")


async def test_locked_resource_blocks_runs(platform: Platform, api: Client) -> None:
    root = platform.files / "of-a-locked-resource"
    root.mkdir()
    source, store = await connectors(platform, api, root)
    urn_id = (await api.get(f"/connectors/{source}"))["resource"]["urn_id"]
    settings = platform.corner.settings()
    with MongoClient[Json](settings.mongodb_uri) as mongo:
        resources = mongo[f"{settings.database_prefix}catalog"]["resources"]
        resources.update_one({"_id": urn_id}, {"$set": {"value.locked": True}})
    problem = await api.problem("POST", "/scheduling/scheduler/run", json=a_run(source, store))
    assert (problem["status"], problem["code"]) == (409, "resource_locked")


async def test_failed_job_says_why(platform: Platform, api: Client) -> None:
    root = platform.files / "vanishing"
    root.mkdir()
    source, store = await connectors(platform, api, root)
    root.rmdir()
    run = await api.post("/scheduling/scheduler/run", a_run(source, store))
    job = await api.finished(run["id"])
    assert (job["status"], bool(job["problem"]["code"])) == ("failed", True)
    log = (await api.call("GET", f"/scheduling/jobs/{job['id']}/log")).text
    assert "vanishing" in log


async def test_badges_do_not_open_the_internal_doors(platform: Platform, api: Client) -> None:
    headers = {"authorization": api.http.headers["authorization"]}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        for service, path in (("catalog", "/internal/inventories"), ("assignment", "/internal/apps")):
            answer = await http.get(f"http://127.0.0.1:{platform.ports[service]}{path}")
            assert answer.status_code == 401, service


async def test_old_restore_points_are_read_through_a_store_made_again(platform: Platform, api: Client) -> None:
    root = platform.files / "kept"
    root.mkdir()
    (root / "letter.txt").write_text("still here")
    source, old = await connectors(platform, api, root)
    await api.finished((await api.post("/scheduling/scheduler/run", a_run(source, old)))["id"])
    urn_id = (await api.get(f"/connectors/{source}"))["resource"]["urn_id"]
    fields = {"root": str(platform.files / f"store-of-{root.name}"), "passphrase": "a passphrase"}
    assert (await api.call("DELETE", f"/connectors/{old}")).status_code == 204
    new = (await api.connector("store", urn_id, fields))["id"]
    assert (await api.post(f"/connectors/{new}/stores/create"))["adopted"] is True

    async def browsable() -> Json | None:
        points: list[Json] = (await api.get(f"/snapshots/store/{new}"))["items"]
        return points[0] if points and points[0]["browsable"] else None

    point = await eventually_async(browsable, 30)
    assert point
    path = f"/snapshots/{point['snapshot_id']}/content?path=/letter.txt"
    assert (await api.call("GET", path)).text == "still here"
    broken = await api.connector("store", urn_id, fields | {"passphrase": "another"})
    assert (await api.problem("POST", f"/connectors/{broken['id']}/stores/create"))["code"] == "passphrase_wrong"
    assert (await api.call("GET", path)).text == "still here"


async def test_hooks_and_limits_of_a_backup_are_taken_and_shown(
    platform: Platform, api: Client, backup: Backup
) -> None:
    (platform.hooks / "greet").write_text("#!/bin/sh\necho hello from $CAIRN_HOOK\n")
    (platform.hooks / "greet").chmod(0o755)
    config = {"hooks": {"pre_job": "greet", "post_job": "absent"}, "exec": {"concurrency": 1, "cpu": 1}}
    run = await api.post("/scheduling/scheduler/run", a_run(backup.source, backup.store, config=config))
    refused = await api.finished(run["id"])
    config["hooks"]["post_job"] = "greet"
    run = await api.post("/scheduling/scheduler/run", a_run(backup.source, backup.store, config=config))
    done = await api.finished(run["id"])

    assert (refused["status"], refused["problem"]["code"]) == ("failed", "hook_not_found")
    assert "post_job (absent)" in refused["problem"]["detail"]
    assert (done["status"], done["task"]["config"]["exec"]) == ("succeeded", {"concurrency": 1, "cpu": 1})
    assert done["task"]["config"]["hooks"]["post_job"] == "greet"
    log = (await api.call("GET", f"/scheduling/jobs/{done['id']}/log")).text
    assert "greet: hello from pre_job" in log
    assert "greet: hello from post_job" in log
    wrong = a_run(backup.source, backup.store, config={"hooks": {"pre_job": "/bin/sh"}})
    problem = await api.problem("POST", "/scheduling/scheduler/run", json=wrong)
    assert (problem["code"], problem["fields"][0]["field"]) == ("options_invalid", "config.hooks.pre_job")
