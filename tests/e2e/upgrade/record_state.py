"""Records the state of a small platform, for `test_upgrade.py`. It runs in a checkout of the version to be recorded:

`.venv/bin/python COPY/record_state.py OUT.tar.xz` there, with this file copied to any place. It uses nothing of the
tests, and of `cairn_local` what has been there for long. What it records: the generated keys, the credentials, all
MongoDB documents with their indexes, all Kafka messages with the offsets that each group has reached, the sources, and
the repositories. The host's name is in them: choose one with `unshare -u`.

Some messages stay unread on purpose: for them a service is replaced by one that only says that it is healthy.
"""

import asyncio
import base64
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Paths and the port are part of the recorded configuration, which is sealed: nothing can be put in their place later.
PLACE = Path("/tmp/cairn-upgrade-test")
S3_PORT = 18923
S3_KEYS = ("AKIACAIRNTESTS000001", "canary-Secret/Key+0123456789abcdefghijklm")
PASSPHRASE = "made for the upgrade test"
GONE = ("large", "scratch")
SERVICES = ("catalog", "assignment", "connector", "scheduler", "restore-index")
GROUPS = [f"cairn.{service}" for service in SERVICES]


def words(seed: int, size: int) -> bytes:
    """Text of about that size, the same each time: what the recorded files hold."""
    chance = random.Random(seed)
    return b" ".join(chance.randbytes(4).hex().encode() for _ in range(size // 9))[:size]


class Healthy(BaseHTTPRequestHandler):
    """Says that it is healthy, and has no other answer."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path.startswith("/health") else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve_in_place_of_a_service() -> None:
    ThreadingHTTPServer((os.environ["CAIRN_HTTP_HOST"], int(os.environ["CAIRN_HTTP_PORT"])), Healthy).serve_forever()


def either(name: str, before: str) -> Any:
    """A module by its name of today, or by the one it had in versions before."""
    return import_module(name if find_spec(name) else before)


@contextmanager
def platform(state: Any, *, absent: tuple[str, ...] = ()) -> Iterator[Any]:
    """The platform, up until the block ends, with `absent` services replaced; its client."""
    from cairn_local.platform import down, up
    from cairn_local.services import SERVICES as ALL

    open_api = either("cairn_local.api_client", "cairn_local.api").Api
    reporter = either("cairn_local.step_reporters", "cairn_local.progress").SilentReporter()
    services = [replace(s, module=Path(__file__).stem) if s.name in absent else s for s in ALL]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "CAIRN_LEASE_SECONDS": "4"}
    started = up(state, reporter=reporter, services=services, environ=environ)
    try:
        with open_api(started.addresses.gateway, json.loads(state.credentials.read_text())["api_key"]) as api:
            yield api
    finally:
        down(state)


def programs(state: Any) -> tuple[Path, Path]:
    """The restic and the rclone that the connector is told to use."""
    [connector] = [spec for spec in json.loads(state.plan.read_text()) if spec["name"] == "connector"]
    return Path(connector["env"]["CAIRN_RESTIC"]), Path(connector["env"]["CAIRN_RCLONE"])


@contextmanager
def s3_server(rclone: Path, directory: Path) -> Iterator[None]:
    argv = [str(rclone), "serve", "s3", str(directory), "--addr", f"127.0.0.1:{S3_PORT}", "--config", os.devnull]
    process = subprocess.Popen(argv, env={**os.environ, "RCLONE_AUTH_KEY": f'"{",".join(S3_KEYS)}"'})
    try:
        time.sleep(1)
        yield
    finally:
        process.terminate()
        process.wait(10)


def make_files() -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    (PLACE / "documents" / "letters").mkdir(parents=True)
    (PLACE / "documents" / "letters" / "first.txt").write_bytes(words(1, 9000))
    (PLACE / "documents" / "letters" / "second.txt").write_bytes(words(2, 500))
    (PLACE / "documents" / "plan.md").write_bytes(words(3, 2000))
    (PLACE / "documents" / "link").symlink_to("plan.md")
    (PLACE / "s3" / "backups").mkdir(parents=True)
    (PLACE / "s3" / "photos" / "2026").mkdir(parents=True)
    (PLACE / "s3" / "photos" / "2026" / "summit.raw").write_bytes(words(4, 7000))
    (PLACE / "large").mkdir()
    for number in range(8):
        (PLACE / "large" / f"{number}.bin").write_bytes(os.urandom(64_000_000))


def s3_fields(root: str) -> dict[str, str]:
    keys = {"access_key": S3_KEYS[0], "secret_access_key": S3_KEYS[1]}
    return {"root": root, "port": str(S3_PORT), "use_tls": "false", **keys}


def make_connectors(api: Any) -> dict[str, str]:
    inventory = api.create_inventory("home")
    body = {"urn": "urn:upgrade:disk", "name": "disk", "class": "file-storage", "subclass": "posix", "service": ""}
    disk = api.create_resource(inventory, {**body, "endpoints": [], "tags": []})
    bucket = api.create_resource(
        inventory,
        {**body, "urn": "urn:upgrade:s3", "name": "s3", "class": "object-storage", "subclass": "s3",
         "endpoints": [{"endpoint": "127.0.0.1"}], "tags": []},
    )  # fmt: skip
    secret = {"passphrase": PASSPHRASE}
    wanted: dict[str, tuple[str, str, str, dict[str, str]]] = {
        "documents": ("source", "fs", disk, {"root": str(PLACE / "documents")}),
        "shelf": ("store", "fs", disk, {"root": str(PLACE / "shelf"), **secret}),
        "photos": ("source", "s3", bucket, s3_fields("photos")),
        "vault": ("store", "s3", bucket, s3_fields("backups/vault") | secret),
        "missing": ("source", "fs", disk, {"root": str(PLACE / "missing")}),
        "large": ("source", "fs", disk, {"root": str(PLACE / "large")}),
        "scratch": ("store", "fs", disk, {"root": str(PLACE / "scratch"), **secret}),
    }
    made = {
        name: api.create_connector(kind, name=name, integration=integration, urn_id=urn, fields=fields)
        for name, (kind, integration, urn, fields) in wanted.items()
    }
    for name in ("shelf", "vault", "scratch"):
        api.post(f"/connectors/{made[name]}/stores/create")
    return {**made, "inventory": inventory}


def back_up(api: Any, ids: dict[str, str], source: str, store: str, expected: str = "succeeded") -> str:
    run = api.start_backup(ids[source], ids[store], {"labels": [source]})
    job = api.wait_for_run(run, watch=cancel_at_once(api) if expected == "canceled" else None)
    if job["status"] != expected:
        raise RuntimeError(f"{source}: {job['status']}: {api.job_log(job['id'])}")
    return str(job["id"])


def cancel_at_once(api: Any) -> Callable[[dict[str, Any]], None]:
    asked: list[str] = []

    def cancel(job: dict[str, Any]) -> None:
        if job["status"] == "running" and not asked:
            asked.append(api.post(f"/scheduling/jobs/{job['id']}/cancel"))

    return cancel


def make_history(api: Any, ids: dict[str, str]) -> dict[str, str]:
    """Backups, a failed and a canceled one among them; restore points that somebody looked into."""
    jobs = {"first": back_up(api, ids, "documents", "shelf")}
    (PLACE / "documents" / "letters" / "third.txt").write_bytes(words(5, 1500))
    jobs["second"] = back_up(api, ids, "documents", "shelf")
    jobs["bucket"] = back_up(api, ids, "photos", "vault")
    jobs["failed"] = back_up(api, ids, "missing", "shelf", "failed")
    jobs["canceled"] = back_up(api, ids, "large", "scratch", "canceled")
    for store, expected in (("shelf", 2), ("vault", 1)):
        for point in wait_for(partial(listed, api, ids[store], expected)):
            wait_for(partial(browsed, api, point["snapshot_id"]))
            api.get(f"/snapshots/{point['snapshot_id']}/search", q="first")
    api.content(api.snapshots(ids["shelf"])[0]["snapshot_id"], "/plan.md")
    return jobs


def listed(api: Any, store: str, expected: int) -> list[dict[str, Any]]:
    """The restore points of a store; none unless there are as many as expected."""
    points: list[dict[str, Any]] = api.snapshots(store)
    return points if len(points) == expected else []


def browsed(api: Any, snapshot: str) -> list[dict[str, Any]]:
    return list(api.files(snapshot))


def ask(api: Any, ids: dict[str, str], jobs: dict[str, str]) -> dict[str, Any]:
    """What the public API answers now, by path: a later version has to answer the same."""
    points = [point["snapshot_id"] for store in ("shelf", "vault") for point in api.snapshots(ids[store])]
    paths = ["/account/me", f"/inventories/{ids['inventory']}", f"/inventories/{ids['inventory']}/resources"]
    paths += [f"/snapshots/store/{ids[store]}" for store in ("shelf", "vault")]
    paths += [f"/scheduling/jobs/{job}" for job in jobs.values()]
    for point in points:
        paths += [f"/snapshots/{point}/files?path=/", f"/snapshots/{point}/search?q=t"]
    answers = {path: api.get(path) for path in paths}
    answers |= {f"/scheduling/jobs/{job}/log": api.job_log(job) for job in jobs.values()}
    connectors = api.get(api.organization("/connectors"))["items"]
    kept = ("id", "name", "type", "protocol", "fields", "urn_id", "integration")
    listed = {connector["id"]: {key: connector.get(key) for key in kept} for connector in connectors}
    return {**answers, **{f"/connectors/{id_}": about for id_, about in listed.items()}}


def wait_for(look: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except Exception as error:
            if time.monotonic() > end:
                raise TimeoutError from error
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)


def back_up_by_hand(restic: Path) -> None:
    """A restore point that Cairn did not make."""
    argv = [str(restic), "-r", str(PLACE / "shelf"), "backup", "--host", "elsewhere", "--tag", "by-hand", "plan.md"]
    env = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": str(PLACE / "cache")}
    subprocess.run(argv, env=env, check=True, cwd=PLACE / "documents")
    shutil.rmtree(PLACE / "cache")


def without_an_answer(ask: Callable[[], Any]) -> None:
    """A request whose command nobody handles: the gateway stops waiting after some seconds."""
    try:
        print("unread:", ask())
    except Exception as error:  # noqa: BLE001 - whatever is answered, the command is in its topic
        print("unread:", error)


def record(out: Path, home: Path) -> None:
    from cairn_local.infrastructure import start
    from cairn_local.paths import StateDir

    make_files()
    state = StateDir(home)
    with platform(state):
        restic, rclone = programs(state)
    with s3_server(rclone, PLACE / "s3"):
        with platform(state) as api:
            ids = make_connectors(api)
            jobs = make_history(api, ids)
            answers = ask(api, ids, jobs)
        for name in GONE:
            shutil.rmtree(PLACE / name)
        back_up_by_hand(restic)
        # Events of the connector that the restore index has not read.
        with platform(state, absent=("restore-index",)) as api:
            without_an_answer(lambda: api.post(f"/connectors/{ids['shelf']}/stores/refresh"))
            time.sleep(3)
        # A task that no worker has read.
        with platform(state, absent=("connector", "restore-index")) as api:
            run = api.start_backup(ids["photos"], ids["vault"], {"labels": ["unread-task"]})
            jobs["unread_task"] = wait_for(lambda: api.get(f"/scheduling/scheduler/run/{run}")["job"]["id"])
            # The relay sends what the scheduler has written.
            time.sleep(3)
        # Commands that their owners have not read.
        with platform(state, absent=("scheduler", "connector", "restore-index")) as api:
            without_an_answer(lambda: api.start_backup(ids["documents"], ids["shelf"], {"labels": ["unread-command"]}))
        with platform(state, absent=SERVICES) as api:
            without_an_answer(lambda: api.create_inventory("unread-command"))
    with start(home) as servers:
        dump = home / "dump"
        dump.mkdir()
        dump_documents(servers.mongodb_uri, dump)
        asyncio.run(dump_messages(servers, dump))
    (dump / "names.json").write_text(json.dumps({"ids": ids, "jobs": jobs, "answers": answers}, indent=1))
    with tarfile.open(out, "w:xz") as archive:
        for path, name in ((dump, "dump"), (state.keys, "keys"), (state.credentials, "credentials.json")):
            archive.add(path, name, filter=anonymous)
        archive.add(PLACE, "place", filter=anonymous)
    shutil.rmtree(PLACE)


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    # The password of Kafka belongs to the node, and that is made anew.
    return None if entry.name == "keys/kafka.password" else entry


def dump_documents(uri: str, folder: Path) -> None:
    """A file for each collection: its indexes in the first line, then its documents."""
    from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](uri) as client:
        for database in (name for name in client.list_database_names() if name.startswith("cairn_")):
            for name in client[database].list_collection_names():
                collection = client[database][name]
                indexes = {
                    key: {**about, "key": list(about["key"])} for key, about in collection.index_information().items()
                }
                lines = [dumps(indexes), *(dumps(d, json_options=CANONICAL_JSON_OPTIONS) for d in collection.find())]
                (folder / f"{database}.{name}.jsonl").write_text("\n".join(lines) + "\n")


async def dump_messages(servers: Any, folder: Path) -> None:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    access = servers.kafka_access
    arguments = {
        "bootstrap_servers": servers.kafka, "security_protocol": access["security"],
        "sasl_mechanism": access["mechanism"], "sasl_plain_username": access["username"],
        "sasl_plain_password": Path(access["password_file"]).read_text().strip(),
    }  # fmt: skip
    admin = AIOKafkaAdminClient(**arguments)
    await admin.start()
    topics = sorted(name for name in await admin.list_topics() if name.startswith("cairn."))
    described = await admin.describe_topics(topics)
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    offsets = {}
    for group in GROUPS:
        # Empty while the node still loads what groups have reached.
        while not (found := await admin.list_consumer_group_offsets(group)):
            await asyncio.sleep(0.2)
        offsets[group] = [[place.topic, place.partition, about.offset] for place, about in found.items()]
    await admin.close()
    places = [TopicPartition(topic, n) for topic, count in partitions.items() for n in range(count)]
    consumer = AIOKafkaConsumer(**arguments, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    consumer.assign(places)
    ends = await consumer.end_offsets(places)
    lines = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            lines += [as_line(record) for record in records]
    await consumer.stop()
    head = json.dumps({"partitions": partitions, "offsets": offsets})
    (folder / "messages.jsonl").write_text("\n".join([head, *lines]) + "\n")
    for group, reached in offsets.items():
        unread = [f"{t}: {ends[TopicPartition(t, n)] - o}" for t, n, o in reached if ends[TopicPartition(t, n)] > o]
        print(group, "has not read", unread)


def as_line(record: Any) -> str:
    key = record.key and base64.b64encode(record.key).decode()
    value = record.value and base64.b64encode(record.value).decode()
    headers = [[name, base64.b64encode(content).decode()] for name, content in record.headers]
    return json.dumps([record.topic, record.partition, record.offset, key, value, headers])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve_in_place_of_a_service()
    else:
        import tempfile

        with tempfile.TemporaryDirectory(prefix="cairn-record-") as folder:
            record(Path(sys.argv[1]).resolve(), Path(folder) / "state")
