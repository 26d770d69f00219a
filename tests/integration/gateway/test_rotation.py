"""The master key is replaced while connectors are used and changed; whatever is killed, nothing is lost or shown."""

import argparse
import asyncio
import base64
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from cairn_local.errors import LocalError
from cairn_local.master_keys import Keys, new_key, read_keys, write_keys
from cairn_local.paths import StateDir
from cairn_local.rotation import Gateway, Json, Rotation, Say
from chassis.ids import new_id
from chassis.messaging.topology import ensure_topics
from contracts import topics
from contracts.errors import CairnError
from gateway.app import open_master_keys
from gateway.areas.master_keys import command
from gateway.settings import Settings
from pymongo import MongoClient

from tests.integration.gateway.client import Client, log_in
from tests.integration.gateway.conftest import SERVICES, Platform
from tests.support.environment import Corner
from tests.support.infra import Infra
from tests.support.kafka import open_wire
from tests.support.waiting import eventually

CANARY = "canary-5c1e-rotation"
GRACE_SECONDS = 2.0


class Killed(Exception):
    """The program that replaces the key was killed."""


class Here(Gateway):
    """Does in this process what `python -m gateway secrets` does, which saves starting it so often."""

    def __init__(self, environment: dict[str, str], settings: Settings) -> None:
        super().__init__(environment)
        self.settings = settings
        self.steps = argparse.ArgumentParser()
        command.add_arguments(self.steps)

    def run(self, *step: str, say: Say) -> Json:
        """See `Gateway`."""
        told: Json = {}

        def write(line: str) -> None:
            facts = json.loads(line)["secrets"]
            told.update(facts)
            if "doing" in facts:
                say(facts["doing"])

        async def run() -> None:
            async with open_master_keys(self.settings) as keys:
                await command.run(keys, self.steps.parse_args(step), write=write)

        try:
            asyncio.run(run())
        except CairnError as error:
            raise LocalError(error.detail) from error
        return told


class DiesResealing(Here):
    """Its program is killed as soon as something, and hardly everything, is under the current key."""

    def run(self, *step: str, say: Say) -> Json:
        """A step, or the end."""
        if step[0] != "reseal":
            return super().run(*step, say=say)
        current = read_keys(self.settings.master_key_file).current.id
        with (
            MongoClient[Json](self.settings.mongodb_uri) as mongo,
            subprocess.Popen(self.argv(*step), cwd="/", env=self.environment, stdout=subprocess.DEVNULL) as process,
        ):
            # Bundles come first.
            bundles = mongo[f"{self.settings.database_prefix}assignment"]["bundles"]
            eventually(lambda: any(current in repr(each["value"]) for each in bundles.find()), deadline_seconds=60)
            process.kill()
        raise Killed


@dataclass
class Rotating:
    """A platform whose keys are where `cairn` keeps them, and what was said while they were replaced."""

    platform: Platform
    state: StateDir
    said: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)

    @property
    def path(self) -> Path:
        """The file of keys."""
        return self.state.key("master")

    def program(self, kind: "type[Here] | None" = None) -> Here:
        """The gateway's program."""
        environment = self.platform.variables("gateway", master_key_file=self.path)
        with pytest.MonkeyPatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            settings = Settings.read()
        return (kind or Here)(environment, settings)

    def now(self) -> Keys:
        """The keys of this moment, which must never be seen anywhere."""
        found = read_keys(self.path)
        self.keys |= {key.text for key in found.keys}
        return found

    async def rotate(self, gateway: Gateway | None = None) -> None:
        """`cairn secrets rotate`."""
        rotation = Rotation(self.state, gateway or self.program(), self._say, GRACE_SECONDS)
        running = asyncio.create_task(asyncio.to_thread(rotation.run))
        while not running.done():
            self.now()
            await asyncio.to_thread(self._look_at_command_lines)
            await asyncio.wait({running}, timeout=1)
        await running
        self.now()

    async def status(self) -> dict[str, dict[str, int]]:
        """What hangs on which key, by its role; those unknown by their ids."""
        answer = await asyncio.to_thread(self.program().run, "status", say=self._say)
        return {k["id"] if k["role"] == "unknown" else k["role"]: k["values"] for k in answer["status"]["keys"]}

    def _say(self, words: str) -> None:
        self.said.append(words)

    def _look_at_command_lines(self) -> None:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                self.shown |= {key for key in self.keys if key in line}


@pytest.fixture(scope="module")
def rotation_corner(infra: Infra, key_file: Path) -> Any:
    """Databases and topics of these tests."""
    made = Corner(infra, key_file)
    yield made
    made.drop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rotating(
    rotation_corner: Corner, tmp_path_factory: pytest.TempPathFactory, restic: Path, rclone: Path
) -> AsyncIterator[Rotating]:
    """All six, up and ready, with keys of their own."""
    folder = tmp_path_factory.mktemp("rotation")
    state = StateDir(folder / "state").create()
    write_keys(state.key("master"), Keys((new_key().as_current(),)))
    with ExitStack() as stack:
        started = Platform(rotation_corner, folder, stack, restic, rclone)
        for name in (*SERVICES, "gateway"):
            started.start(name, master_key_file=state.key("master"))
        await started.ready()
        yield Rotating(started, state)


@pytest_asyncio.fixture(loop_scope="session")
async def owner(rotating: Rotating) -> AsyncIterator[Client]:
    """A client of the owner."""
    async with log_in(rotating.platform.url, rotating.platform.credentials) as client:
        yield client


@dataclass
class Kept:
    """One of each kind of what holds secrets."""

    source: Json
    store: Json
    follower: Json
    bundle: Json
    inventory: Json

    @classmethod
    async def made(cls, api: Client, files: Path) -> "Kept":
        """Make them."""
        urn_id = await api.resource(await api.inventory())
        (files / "source").mkdir(exist_ok=True)
        (files / "source" / "letter.txt").write_text("nothing secret")
        # One for each: two bundles that say different things for the same connectors would be refused.
        here = f"bundled {new_id()}"
        passphrase = {"passphrase": {"value": f"{CANARY}-bundle"}}
        bundle = await api.post(api.org("/bundles"), {"name": "passphrases", "environment": here, "fields": passphrase})
        store = await api.connector("store", urn_id, {"root": str(files / "store"), "passphrase": f"{CANARY}-store"})
        await api.post(f"/connectors/{store['id']}/stores/create")
        follower = await api.connector("store", urn_id, {"root": str(files / "second")}, environment=here)
        fields = {"root": str(files / "source"), "passphrase": f"{CANARY}-source"}
        source = await api.connector("source", urn_id, fields)
        block = {"k8s_kubeconf": {"value": f"{CANARY}-inventory"}}
        inventory = await api.post(
            api.org("/inventories"), {"name": "cluster", "type": "k8s", "k8s_configuration": block}
        )
        return cls(source, store, follower, bundle, inventory)

    async def check(self, api: Client) -> None:
        """Each secret is read back, and the bundle goes on filling its connector."""
        for each, name in ((self.source, "source"), (self.store, "store")):
            fields = (await api.get(f"/connectors/{each['id']}"))["fields"]
            assert fields["passphrase"] == {"value": f"{CANARY}-{name}"}
        shown = (await api.get(f"/connectors/{self.follower['id']}"))["fields"]["passphrase"]
        assert (shown["value"], shown["bundle"]["id"]) == (f"{CANARY}-bundle", self.bundle["id"])
        bundle = await api.get(api.org(f"/bundles/{self.bundle['id']}"))
        assert bundle["fields"]["passphrase"]["value"] == f"{CANARY}-bundle"
        inventory = await api.get(f"/inventories/{self.inventory['id']}")
        assert inventory["k8s_configuration"]["k8s_kubeconf"]["value"] == f"{CANARY}-inventory"


@asynccontextmanager
async def in_use(api: Client, kept: Kept) -> AsyncIterator[dict[str, int]]:
    """Backups run, connections are tested and connectors are changed for as long as the context is open."""
    ended = asyncio.Event()
    counts = {"backups": 0, "tests": 0, "changes": 0, "made": 0}

    async def back_up() -> None:
        body = {"type": "backup", "origin_id": kept.source["id"], "target_id": kept.store["id"]}
        run = await api.post("/scheduling/scheduler/run", body)
        job = await api.finished(run["id"])
        assert job["status"] == "succeeded", job
        counts["backups"] += 1

    async def test() -> None:
        report = await api.post(f"/connectors/{kept.store['id']}/test")
        assert report["ok"], report
        counts["tests"] += 1

    async def change() -> None:
        path = f"/connectors/{kept.source['id']}"
        body = {**kept.source, "urn_id": kept.source["resource"]["urn_id"], "name": f"named {counts['changes']}"}
        await api.change("POST", path, body)
        counts["changes"] += 1

    async def make() -> None:
        fields = {"root": str(counts["made"]), "passphrase": f"{CANARY}-source"}
        fields["root"] = kept.source["fields"]["root"]["value"]
        await api.connector("source", kept.source["resource"]["urn_id"], fields, name=f"made {counts['made']}")
        counts["made"] += 1

    async def again(what: Any) -> None:
        while not ended.is_set():
            await what()
            # As people do: without a pause it would take the machine from what is tested.
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 0.5)

    running = [asyncio.create_task(again(what)) for what in (back_up, test, change, make)]
    try:
        yield counts
    finally:
        ended.set()
        await asyncio.gather(*running)


async def test_a_key_is_replaced_while_everything_is_in_use(rotating: Rotating, owner: Client) -> None:
    kept = await Kept.made(owner, rotating.platform.files)
    [old] = rotating.now().keys
    before = await rotating.status()
    assert before["current"].keys() == {
        *("data keys", "bundles", "connectors", "inventories", "copies of workers"),
    }
    async with in_use(owner, kept) as counts:
        await rotating.rotate()
    assert all(counts.values()), counts
    [new] = rotating.now().keys
    assert new.id != old.id
    after = await rotating.status()
    assert after.keys() == {"current"}
    assert after["current"]["connectors"] == before["current"]["connectors"] + counts["made"]
    assert after["current"]["copies of workers"] == after["current"]["connectors"]
    await kept.check(owner)
    assert old.id not in json.dumps(documents(rotating, "apps", "bundles", "inventories", "data_keys"), default=str)


async def test_whatever_is_killed_the_next_one_goes_on(rotating: Rotating, owner: Client) -> None:
    kept = await Kept.made(owner, rotating.platform.files)
    [old] = rotating.now().keys
    with pytest.raises(Killed):
        await rotating.rotate(rotating.program(DiesResealing))
    assert [key.role for key in rotating.now().keys] == ["current", "former"]
    for name in ("assignment", "connector", "gateway"):
        rotating.platform.running[name].kill()
        rotating.platform.start(name, master_key_file=rotating.path)
    await rotating.platform.ready()
    await kept.check(owner)
    await rotating.rotate()
    [new] = rotating.now().keys
    assert new.id != old.id
    assert (await rotating.status()).keys() == {"current"}
    await kept.check(owner)


async def test_what_nobody_can_open_keeps_its_key(rotating: Rotating, owner: Client) -> None:
    kept = await Kept.made(owner, rotating.platform.files)
    spoil(rotating, kept.follower["id"])
    with pytest.raises(LocalError, match=f"connector {kept.follower['id']} field passphrase"):
        await rotating.rotate()
    assert [key.role for key in rotating.now().keys] == ["current", "former"]
    assert set(await rotating.status()) == {"current", "former"}
    assert (await owner.call("DELETE", f"/connectors/{kept.follower['id']}")).status_code == 204
    await rotating.rotate()
    assert (await rotating.status()).keys() == {"current"}


async def test_neither_keys_nor_secrets_are_anywhere(rotating: Rotating, owner: Client) -> None:
    await Kept.made(owner, rotating.platform.files)
    assert len(rotating.keys) > 2
    texts = {key: base64.b64decode(key) for key in rotating.keys}
    everything = repr(documents(rotating))
    settings = rotating.platform.corner.settings()
    messages = []
    async with open_wire(settings) as wire:
        for topic in topics.ALL:
            await ensure_topics(settings, [topic])
            messages += [record.value or b"" for record in await wire.read(topic)]
    logs = {log.name: log.read_bytes() for log in rotating.platform.folder.glob("*.log")}
    assert "passphrases" in everything
    for text, raw in texts.items():
        assert text not in everything
        assert repr(raw)[2:-1] not in everything
        assert not [name for name, log in logs.items() if text.encode() in log or raw in log]
        assert not [1 for message in messages if text.encode() in message]
        assert text not in " ".join(rotating.said)
    assert CANARY not in everything
    assert not [name for name, log in logs.items() if CANARY.encode() in log]
    assert not [1 for message in messages if CANARY.encode() in message]
    assert CANARY not in " ".join(rotating.said)
    assert rotating.shown == set()


def documents(rotating: Rotating, *collections: str) -> list[Any]:
    """All documents of all services, or those of some collections."""
    settings = rotating.platform.corner.settings()
    with MongoClient[dict[str, Any]](settings.mongodb_uri) as mongo:
        names = [n for n in mongo.list_database_names() if n.startswith(settings.database_prefix)]
        return [
            document
            for name in names
            for collection in mongo[name].list_collection_names()
            if not collections or collection in collections
            for document in mongo[name][collection].find({}, {"value": 1} if collections else None)
        ]


def spoil(rotating: Rotating, app_id: str) -> None:
    """Damage a secret where it is kept."""
    settings = rotating.platform.corner.settings()
    with MongoClient[dict[str, Any]](settings.mongodb_uri) as mongo:
        apps = mongo[f"{settings.database_prefix}assignment"]["apps"]
        spoilt = base64.b64encode(os.urandom(40)).decode()
        place = "value.fields.passphrase.sealed.ciphertext"
        assert apps.update_one({"_id": app_id}, {"$set": {place: spoilt}}).modified_count == 1
