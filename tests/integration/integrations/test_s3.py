"""Buckets as sources, stores and destinations, on rclone's S3 server and on moto's."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from connector.engine.port import BackupOptions
from connector.engine.restic import ResticEngine, ResticSettings
from contracts.errors import CairnError
from integrations.s3.integration import S3Integration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import Cancelled, SourceMissing, SourceRefused, SourceUnreachable
from restic_reader import FileKind, Repository

from tests.integration.integrations.certificates import write_certificate
from tests.integration.integrations.conftest import Configure, Log
from tests.support.reports import failure, outcome
from tests.support.s3 import BUCKET, S3Server, check_rights, free_port, make_user, moto_s3, rclone_s3
from tests.support.waiting import eventually_async

PASSPHRASE = "canary passphrase"


@pytest.fixture(scope="module", params=["rclone", "moto"])
def server(
    request: pytest.FixtureRequest, rclone: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[S3Server]:
    """Both check the keys; moto knows rights, too."""
    directory = tmp_path_factory.mktemp("s3")
    with rclone_s3(rclone, directory) if request.param == "rclone" else moto_s3(strict=True) as running:
        yield running


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_s3() as running:
        yield running


@pytest.fixture
def s3(environment: WorkerEnvironment) -> S3Integration:
    return S3Integration(environment)


def bucket(configure: Configure, kind: str, server: S3Server, root: str = BUCKET, **others: str) -> AppConfiguration:
    return configure(kind, "s3", endpoint=server.endpoint, **server.fields(root, **others))


class TestConnection:
    async def test_a_bucket_passes_as_source(self, s3: S3Integration, configure: Configure, server: S3Server) -> None:
        report = await s3.test(bucket(configure, "source", server))

        assert report.ok
        assert outcome(report) == {"reachable": True, "authenticated": True, "listable": True}
        assert report.initialized is None

    async def test_a_bucket_passes_as_store(self, s3: S3Integration, configure: Configure, server: S3Server) -> None:
        report = await s3.test(bucket(configure, "store", server, f"{BUCKET}/fresh", passphrase=PASSPHRASE))

        assert report.ok
        assert list(outcome(report)) == ["reachable", "authenticated", "listable", "writable", "initialized"]
        assert report.initialized is False
        assert not server.client().list_objects_v2(Bucket=BUCKET, Prefix="fresh").get("Contents")

    async def test_passphrase_of_a_repository_is_tried(
        self, s3: S3Integration, configure: Configure, server: S3Server, restic: Path, tmp_path: Path
    ) -> None:
        right = bucket(configure, "store", server, f"{BUCKET}/store", passphrase=PASSPHRASE)
        wrong = bucket(configure, "store", server, f"{BUCKET}/store", passphrase="open barley")
        engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))
        await engine.initialize(s3.store_location(right))

        good, bad = await s3.test(right), await s3.test(wrong)

        assert good.ok
        assert good.initialized
        assert failure(bad)[0] == "passphrase"
        assert bad.initialized
        with Repository.open(s3.repository_files(right), PASSPHRASE) as repository:
            assert repository.snapshots() == []

    @pytest.mark.parametrize("prefix", ["a?b#c", "50%zz/%41+&=;'über"])
    async def test_engine_and_reader_mean_the_same_prefix(
        self, s3: S3Integration, configure: Configure, server: S3Server, restic: Path, tmp_path: Path, prefix: str
    ) -> None:
        store = bucket(configure, "store", server, f"{BUCKET}/odd/{prefix}", passphrase=PASSPHRASE)
        engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))
        made = await engine.initialize(s3.store_location(store))

        report = await s3.test(store)

        assert report.ok
        assert report.initialized
        with Repository.open(s3.repository_files(store), PASSPHRASE) as repository:
            assert repository.config.id == made.repository_id

    @pytest.mark.parametrize(
        ("field", "words"),
        [("access_key", "the access key is not known"), ("secret_access_key", "does not go with the access key")],
    )
    async def test_wrong_credentials_are_told_apart(
        self, s3: S3Integration, configure: Configure, server: S3Server, field: str, words: str
    ) -> None:
        wrong = bucket(configure, "source", server, **{field: "canary-wrong-value-0000"})

        report = await s3.test(wrong)

        assert failure(report)[0] == "authenticated"
        assert words in failure(report)[1]
        assert "canary" not in report.model_dump_json()

    async def test_a_missing_bucket_is_named(self, s3: S3Integration, configure: Configure, server: S3Server) -> None:
        report = await s3.test(bucket(configure, "store", server, "no-such-bucket", passphrase=PASSPHRASE))

        assert failure(report) == ("listable", "bucket_missing: The bucket no-such-bucket does not exist.")
        assert report.initialized is False

    async def test_the_environment_of_the_worker_has_no_part_in_it(
        self, s3: S3Integration, configure: Configure, server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        odd = {"SESSION_TOKEN": "canary", "ACCESS_KEY_ID": "nobody", "SKIP_SIGNATURE": "true", "REGION": "mars-1"}
        for name, value in odd.items():
            monkeypatch.setenv(f"AWS_{name}", value)

        report = await s3.test(bucket(configure, "store", server, f"{BUCKET}/environment", passphrase=PASSPHRASE))

        assert report.ok

    async def test_missing_rights_are_told(self, s3: S3Integration, configure: Configure) -> None:
        with moto_s3() as moto:
            reader = make_user(moto, "reader", ["s3:GetObject", "s3:ListBucket"])
            stranger = make_user(moto, "stranger", ["s3:GetBucketAcl"])
            check_rights(moto)

            as_source = await s3.test(bucket(configure, "source", reader))
            as_store = await s3.test(bucket(configure, "store", reader))
            as_stranger = await s3.test(bucket(configure, "source", stranger))

        assert as_source.ok
        assert failure(as_store)[0] == "writable"
        assert "does not have the right" in failure(as_store)[1]
        assert outcome(as_stranger) == {"reachable": True, "authenticated": True, "listable": False}

    async def test_nobody_listening_is_told(self, s3: S3Integration, configure: Configure) -> None:
        report = await s3.test(bucket(configure, "source", S3Server(free_port())))

        assert failure(report)[0] == "reachable"
        assert "Connection refused" in failure(report)[1]

    async def test_an_unknown_host_is_told(self, s3: S3Integration, configure: Configure) -> None:
        report = await s3.test(configure("source", "s3", endpoint="nobody.invalid", **S3Server(1).fields()))

        assert failure(report)[0] == "reachable"
        assert "nobody.invalid is not known" in failure(report)[1]

    @pytest.mark.parametrize("left_out", [True, False])
    async def test_tls_where_there_is_none_names_the_field(
        self,
        s3: S3Integration,
        configure: Configure,
        server: S3Server,
        log: Log,
        cancel: asyncio.Event,
        restic: Path,
        tmp_path: Path,
        left_out: bool,
    ) -> None:
        fields = server.fields(passphrase=PASSPHRASE) | {"use_tls": "" if left_out else "true"}
        store = configure("store", "s3", endpoint=server.endpoint, **fields)
        engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))

        report = await s3.test(store)
        with pytest.raises(CairnError) as of_source:
            async with s3.open_source(store, on_log=log.add, cancel=cancel):
                pass
        with pytest.raises(CairnError) as of_store:
            await engine.initialize(s3.store_location(store))

        words = "The endpoint speaks plain HTTP, not HTTPS: set the field `use_tls` to false."
        assert failure(report) == ("reachable", f"tls_misconfigured: {words}")
        for error in (of_source.value, of_store.value):
            assert (error.code, error.detail, list(error.fields)) == ("tls_misconfigured", words, ["fields.use_tls"])

    @pytest.mark.parametrize("endpoint", ["", "user:word@host", "host/path", "ftp://host", "host:99999"])
    async def test_an_endpoint_that_cannot_be_right_is_told(
        self, s3: S3Integration, configure: Configure, endpoint: str
    ) -> None:
        report = await s3.test(configure("source", "s3", endpoint=endpoint, **S3Server(1).fields()))

        assert failure(report)[0] == "reachable"
        assert "ndpoint" in failure(report)[1]

    async def test_certificates_are_verified_unless_told_otherwise(
        self,
        s3: S3Integration,
        configure: Configure,
        rclone: Path,
        restic: Path,
        tmp_path: Path,
        log: Log,
        cancel: asyncio.Event,
    ) -> None:
        with rclone_s3(rclone, tmp_path / "served", tls=write_certificate(tmp_path)) as secure:
            strict = await s3.test(bucket(configure, "source", secure))
            to_plain = bucket(configure, "source", secure, use_tls="false")
            plain = await s3.test(to_plain)
            with pytest.raises(CairnError, match="set the field `use_tls` to true"):
                async with s3.open_source(to_plain, on_log=log.add, cancel=cancel):
                    pass
            lax_store = bucket(configure, "store", secure, passphrase=PASSPHRASE, tls_insecure_no_verify="true")
            engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))
            await engine.initialize(s3.store_location(lax_store))
            lax = await s3.test(lax_store)
            files = s3.repository_files(lax_store)
            key = next(iter(files.list(FileKind.KEY)))
            part = files.read_range(FileKind.KEY, key.name, offset=1, length=4)
            whole = files.read(FileKind.KEY, key.name)

        assert "set the field `use_tls` to true" in failure(plain)[1]
        assert failure(strict)[0] == "reachable"
        assert "is not trusted" in failure(strict)[1]
        assert lax.ok
        assert lax.initialized
        assert part == whole[1:5]


class TestSource:
    async def test_objects_become_files(
        self,
        s3: S3Integration,
        configure: Configure,
        server: S3Server,
        log: Log,
        cancel: asyncio.Event,
        environment: WorkerEnvironment,
    ) -> None:
        objects = {"a": b"1", "deep/er/b": b"22", "deep/ü x": b"333", "deep/%41": b"4", "l" * 255: b"5"}
        server.fill({f"tree/{key}": data for key, data in objects.items()} | {"outside": b"6"})

        async with s3.open_source(
            bucket(configure, "source", server, f"{BUCKET}/tree"), on_log=log.add, cancel=cancel
        ) as tree:
            found = files(tree.directory)
            moment = (tree.directory / "a").stat().st_mtime
            assert not list(tree.problems)

        assert found == objects
        assert tree.origin == f"s3://{BUCKET}/tree"
        assert moment == pytest.approx(
            server.client().head_object(Bucket=BUCKET, Key="tree/a")["LastModified"].timestamp(), abs=1
        )
        assert stat.S_IMODE(environment.work_dir.stat().st_mode) == 0o700

    async def test_only_what_changed_is_copied_again(
        self, s3: S3Integration, configure: Configure, moto: S3Server, log: Log, cancel: asyncio.Event
    ) -> None:
        moto.fill({"again/same": b"1", "again/changed": b"2", "again/gone": b"3"})
        source = bucket(configure, "source", moto, f"{BUCKET}/again")
        async with s3.open_source(source, on_log=log.add, cancel=cancel) as tree:
            before = (tree.directory / "same").stat()
        moto.fill({"again/changed": b"2 and more", "again/new": b"4"})
        moto.client().delete_object(Bucket=BUCKET, Key="again/gone")

        async with s3.open_source(source, on_log=log.add, cancel=cancel) as tree:
            after = (tree.directory / "same").stat()
            found = files(tree.directory)

        assert found == {"same": b"1", "changed": b"2 and more", "new": b"4"}
        assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
            after.st_ino,
            after.st_mtime_ns,
            after.st_ctime_ns,
        )

    async def test_an_empty_source_is_an_empty_directory(
        self, s3: S3Integration, configure: Configure, moto: S3Server, log: Log, cancel: asyncio.Event
    ) -> None:
        moto.fill({"emptied/a": b"1"})
        source = bucket(configure, "source", moto, f"{BUCKET}/emptied")
        async with s3.open_source(source, on_log=log.add, cancel=cancel):
            pass
        moto.client().delete_object(Bucket=BUCKET, Key="emptied/a")

        async with s3.open_source(source, on_log=log.add, cancel=cancel) as tree:
            assert files(tree.directory) == {}

    async def test_a_source_that_refuses_us_changes_nothing(
        self, s3: S3Integration, configure: Configure, server: S3Server, log: Log, cancel: asyncio.Event
    ) -> None:
        server.fill({"kept/a": b"1"})
        source = bucket(configure, "source", server, f"{BUCKET}/kept")
        wrong = bucket(configure, "source", server, f"{BUCKET}/kept", secret_access_key="canary-wrong-value-0000")
        async with s3.open_source(source, on_log=log.add, cancel=cancel) as tree:
            directory = tree.directory

        with pytest.raises(SourceRefused, match="secret access key does not go with") as refused:
            async with s3.open_source(wrong, on_log=log.add, cancel=cancel):
                pass

        assert files(directory) == {"a": b"1"}
        assert "canary" not in str(refused.value) + log.text

    async def test_a_missing_bucket_is_named(
        self, s3: S3Integration, configure: Configure, server: S3Server, log: Log, cancel: asyncio.Event
    ) -> None:
        with pytest.raises(SourceMissing, match="no-such-bucket does not exist"):
            async with s3.open_source(
                bucket(configure, "source", server, "no-such-bucket"), on_log=log.add, cancel=cancel
            ):
                pass

    async def test_a_server_that_is_gone_is_told(
        self, s3: S3Integration, configure: Configure, log: Log, cancel: asyncio.Event
    ) -> None:
        with pytest.raises(SourceUnreachable, match="Connection refused"):
            async with s3.open_source(
                bucket(configure, "source", S3Server(free_port())), on_log=log.add, cancel=cancel
            ):
                pass

    async def test_copying_can_be_cancelled(
        self, s3: S3Integration, configure: Configure, moto: S3Server, log: Log, cancel: asyncio.Event
    ) -> None:
        moto.fill({"big/a": b"1"})
        cancel.set()

        with pytest.raises(Cancelled):
            async with s3.open_source(
                bucket(configure, "source", moto, f"{BUCKET}/big"), on_log=log.add, cancel=cancel
            ):
                pass

    async def test_one_source_is_read_by_one_run_at_a_time(
        self, s3: S3Integration, configure: Configure, moto: S3Server, log: Log, cancel: asyncio.Event
    ) -> None:
        moto.fill({"shared/a": b"1"})
        source = bucket(configure, "source", moto, f"{BUCKET}/shared")
        async with s3.open_source(source, on_log=log.add, cancel=cancel):
            waiting = asyncio.create_task(_open_and_close(s3, source, log, cancel))
            await log_has(log, "waiting for another run")
            assert not waiting.done()

        await asyncio.wait_for(waiting, 30)

    async def test_a_backup_of_a_bucket_can_be_read_back(
        self,
        s3: S3Integration,
        configure: Configure,
        server: S3Server,
        log: Log,
        cancel: asyncio.Event,
        restic: Path,
        tmp_path: Path,
    ) -> None:
        server.fill({"docs/a": b"1" * 1000, "docs/sub/b": b"2"})
        source = bucket(configure, "source", server, f"{BUCKET}/docs")
        store = bucket(configure, "store", server, f"{BUCKET}/vault", passphrase=PASSPHRASE)
        engine = ResticEngine(ResticSettings(program=str(restic), cache_dir=tmp_path / "cache"))
        location = s3.store_location(store)
        await engine.initialize(location)

        results = []
        for _ in range(2):
            async with s3.open_source(source, on_log=log.add, cancel=cancel) as tree:
                results.append(
                    await engine.backup(
                        location,
                        tree,
                        options=BackupOptions(host="bucket"),
                        on_progress=lambda _: None,
                        on_log=log.add,
                        cancel=cancel,
                    )
                )

        with Repository.open(s3.repository_files(store), PASSPHRASE) as repository:
            root = repository.snapshot(results[0].snapshot_id).tree
            assert b"".join(repository.read(repository.resolve(root, b"/sub/b"))) == b"2"
        assert results[1].summary.files_unmodified == 2
        assert not any(secret in log.text for secret in (server.access_key, server.secret_key, PASSPHRASE))


async def _open_and_close(s3: S3Integration, source: AppConfiguration, log: Log, cancel: asyncio.Event) -> None:
    async with s3.open_source(source, on_log=log.add, cancel=cancel):
        pass


async def log_has(log: Log, words: str) -> None:
    await eventually_async(lambda: words in log.text)


def files(root: Path) -> dict[str, bytes]:
    """Content of all files below a directory."""
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}
