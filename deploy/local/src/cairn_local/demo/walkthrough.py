"""The steps of the demo. Each is printed when it is done, with what came back; a step that fails ends the demo."""

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn_local.api_client import Api
from cairn_local.demo.s3_server import S3Keys
from cairn_local.demo.tree_comparison import compare_trees
from cairn_local.errors import LocalError

IGNORES = (".venv", ".boot", ".git", "build", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
           "__pycache__", ".cairn", ".cairn-demo", ".import_linter_cache")  # fmt: skip
DIFFERENCES_SHOWN = 5
Json = dict[str, Any]


@dataclass(frozen=True)
class DemoPlace:
    """Where the demo takes place."""

    project: Path
    directory: Path
    s3_host: str
    s3_port: int
    s3_keys: S3Keys


class Walkthrough:
    """Does the main job with one client and prints each step."""

    def __init__(self, api: Api, place: DemoPlace, *, say: Callable[[str], None]) -> None:
        self._api = api
        self._place = place
        self._say = say
        self._step = 0
        self._passphrase = secrets.token_urlsafe(24)

    def perform(self) -> None:
        """From an empty inventory to files taken out of two restore points, and one of them restored and compared."""
        photo = self._put_objects()
        inventory = self._api.create_inventory("demo")
        self._print_step("Create a self-managed inventory", f"inventory {inventory}")
        folder, bucket = self._resources(inventory)
        sources = {"folder": self._source_folder(folder), "bucket": self._source_bucket(bucket)}
        stores = {"folder": self._store_folder(inventory), "bucket": self._store_bucket(bucket)}
        for kind, connectors in (("source", sources), ("store", stores)):
            for name, connector in connectors.items():
                self._test(f"{kind} {name}", connector)
        for name, store in stores.items():
            self._initialize(f"store {name}", store)
        began_ns = time.time_ns()
        ignores = {"folder": {"labels": ["demo"], "ignores": list(IGNORES)}, "bucket": {"labels": ["demo"]}}
        points = {name: self._back_up(name, sources[name], stores[name], config=ignores[name]) for name in sources}
        self._open(points["folder"], "/README.md", (self._place.project / "README.md").read_bytes())
        self._open(points["bucket"], "/2026/summit.raw", photo)
        self._restore(points["folder"], stores["folder"], inventory, backed_up_ns=began_ns)

    def _print_step(self, what: str, came_back: str) -> None:
        self._step += 1
        self._say(f"{self._step:>3}. {what}\n     -> {came_back}")

    def _put_objects(self) -> bytes:
        # Random: equal content would be in the store since the last demo, and a backup would have nothing to do.
        photo = os.urandom(3_000_000)
        folder = self._place.directory / "buckets" / "photos" / "2026"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "summit.raw").write_bytes(photo)
        (folder / "notes.txt").write_text("Taken beside the cairn.\n")
        return photo

    def _resources(self, inventory: str) -> tuple[str, str]:
        folder = self._resource(inventory, "checkout", classes=("file-storage", "posix"))
        bucket = self._resource(inventory, "object-store", classes=("object-storage", "s3"), host=self._place.s3_host)
        return folder, bucket

    def _resource(self, inventory: str, name: str, *, classes: tuple[str, str], host: str = "") -> str:
        endpoints = [{"endpoint": host}] if host else []
        body = {"urn": f"urn:demo:{name}", "name": name, "class": classes[0], "subclass": classes[1]}
        urn_id = self._api.create_resource(inventory, {**body, "service": "demo", "endpoints": endpoints, "tags": []})
        self._print_step(f"Register the resource {name} ({classes[0]} / {classes[1]})", f"resource {urn_id}")
        return urn_id

    def _assign(self, kind: str, name: str, *, integration: str, urn_id: str, fields: dict[str, str]) -> str:
        connector = self._api.create_connector(kind, name=name, integration=integration, urn_id=urn_id, fields=fields)
        self._print_step(f"Assign {name} as a {kind} by the integration {integration}", f"{kind} {connector}")
        return connector

    def _source_folder(self, urn_id: str) -> str:
        fields = {"root": str(self._place.project)}
        return self._assign("source", "this checkout", integration="fs", urn_id=urn_id, fields=fields)

    def _store_folder(self, inventory: str) -> str:
        urn_id = self._resource(inventory, "disk", classes=("file-storage", "posix"))
        fields = {"root": str(self._place.directory / f"store-{secrets.token_hex(4)}"), "passphrase": self._passphrase}
        return self._assign("store", "a directory", integration="fs", urn_id=urn_id, fields=fields)

    def _s3_fields(self, root: str) -> dict[str, str]:
        keys = self._place.s3_keys
        return {
            "root": root,
            "port": str(self._place.s3_port),
            "use_tls": "false",
            "access_key": keys.access_key,
            "secret_access_key": keys.secret_access_key,
        }

    def _source_bucket(self, urn_id: str) -> str:
        return self._assign("source", "photos", integration="s3", urn_id=urn_id, fields=self._s3_fields("photos"))

    def _store_bucket(self, urn_id: str) -> str:
        fields = self._s3_fields(f"vault/{secrets.token_hex(4)}") | {"passphrase": self._passphrase}
        return self._assign("store", "vault", integration="s3", urn_id=urn_id, fields=fields)

    def _test(self, name: str, connector: str) -> None:
        report: Json = self._api.post(f"/connectors/{connector}/test")
        # Whether a store is initialized is no fault of the connection, and said in words below.
        asked = [c for c in report["checks"] if c["name"] != "initialized"]
        checks = ", ".join(f"{c['name']} {c['duration_ms']:.0f} ms" for c in asked)
        if not report["ok"]:
            failed = "; ".join(c["detail"] for c in report["checks"] if not c["ok"])
            raise LocalError(f"The connection to the {name} could not be made: {failed}")
        repository = {None: "", True: "; a repository is there", False: "; no repository is there yet"}
        self._print_step(f"Test the connection to the {name}", checks + repository[report["initialized"]])

    def _initialize(self, name: str, store: str) -> None:
        answer: Json = self._api.post(f"/connectors/{store}/stores/create")
        came_back = "the repository that is there was adopted" if answer["adopted"] else "a new repository is there"
        self._print_step(f"Initialize the {name}", came_back)

    def _back_up(self, name: str, source: str, store: str, *, config: Json) -> Json:
        job = self._run(f"backup of the {name}", "backup", source, store, config=config)
        points = self._api.snapshots(store)
        if not points:
            raise LocalError(f"The backup of the {name} succeeded, yet its store holds no restore point.")
        self._print_step(f"Back up the source {name} into the store {name}", self._last_line(job))
        self._print_step(
            f"List the restore points of the store {name}: {len(points)}", f"newest {points[0]['snapshot_id'][:16]}"
        )
        return points[0]

    def _restore(self, point: Json, store: str, inventory: str, *, backed_up_ns: int) -> None:
        root, project = self._place.directory / "restored" / secrets.token_hex(4), self._place.project
        root.parent.mkdir(exist_ok=True)
        urn_id = self._resource(inventory, "another directory", classes=("file-storage", "posix"))
        fields = {"root": str(root)}
        target = self._assign("destination", "another directory", integration="fs", urn_id=urn_id, fields=fields)
        config = {"snapshot_id": point["snapshot_id"]}
        job = self._run("restore of the folder", "restore", store, target, config=config)
        self._print_step(f"Restore {point['snapshot_id'][:16]} into {root}", self._last_line(job))
        compared = compare_trees(project, root, ignores=IGNORES, since_ns=backed_up_ns)
        if compared.different:
            shown = "; ".join(compared.different[:DIFFERENCES_SHOWN])
            raise LocalError(f"{len(compared.different)} entries were restored otherwise than they are.", hint=shown)
        self._print_step("Compare what was restored with its source, property by property", compared.in_words())

    def _run(self, what: str, kind: str, origin: str, target: str, *, config: Json) -> Json:
        """The job of a task that was run. Raises `LocalError` with its log when it did not succeed."""
        seen: set[str] = set()
        run = self._api.start_run(kind, origin, target, config)
        job = self._api.wait_for_run(run, deadline_seconds=600, watch=lambda j: self._follow(j, seen))
        if job["status"] != "succeeded":
            raise LocalError(f"The {what} ended as {job['status']}.", hint=self._api.job_log(job["id"]))
        return job

    def _last_line(self, job: Json) -> str:
        """The end of a job's log, without its time and level."""
        lines = self._api.job_log(job["id"]).strip().splitlines()
        return f"job {job['id']} {lines[-1].split(' ', 2)[-1] if lines else 'has an empty log'}"

    def _follow(self, job: Json, seen: set[str]) -> None:
        progress = job.get("progress") or {}
        phase = progress.get("phase") or job["status"]
        if phase not in seen:
            seen.add(phase)
            files, size = progress.get("files_done", 0), progress.get("bytes_done", 0)
            # A job that waits or prepares has no figures: zeros would look like a fault.
            self._say(f"     .. {phase}" + (f": {files:,} files, {size:,} bytes" if files or size else ""))

    def _open(self, point: Json, path: str, expected: bytes) -> None:
        snapshot = point["snapshot_id"]
        folder = path.rsplit("/", 1)[0] or "/"
        names = [entry["name"] for entry in self._api.files(snapshot, folder)]
        self._print_step(f"Browse {folder} of {snapshot[:16]}", f"{len(names)} entries: {', '.join(names[:8])}")
        whole = self._api.content(snapshot, path)
        if whole.content != expected:
            raise LocalError(f"{path} came back with other bytes than it has at its source.")
        self._print_step(f"Download {path} and compare it with its source", f"{len(whole.content):,} bytes, equal")
        # Opening a part without the whole is what a restore by restic cannot do.
        part = self._api.content(snapshot, path, headers={"Range": "bytes=100-199"})
        if part.status_code != 206 or part.content != expected[100:200]:
            raise LocalError(f"A range of {path} came back wrong.")
        self._print_step(f"Download bytes 100-199 of {path}", f"{part.headers['content-range']}, equal")
