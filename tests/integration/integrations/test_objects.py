"""Nothing of a bucket is left out in silence: what is listed is in the restore point, or named in the job."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from integrations.object_storage.key_paths import key_of, path_of
from integrations.s3.integration import S3Integration
from integrations.sdk.environment import WorkerEnvironment

from tests.integration.integrations.conftest import Configure, needs_mount
from tests.support.faulty import Faults, faulty_s3
from tests.support.jobs import Ended, Jobs
from tests.support.s3 import BUCKET, S3Server, moto_s3, rclone_s3

Run = Callable[..., Awaitable[Ended]]
Mode = Literal["sync", "mount"]
both_ways = pytest.mark.parametrize("mode", ["sync", pytest.param("mount", marks=needs_mount)])


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_s3() as running:
        yield running


@pytest.fixture(scope="module")
def behind(moto: S3Server) -> Iterator[tuple[S3Server, Faults]]:
    with faulty_s3(moto) as running:
        yield running


@pytest.fixture(scope="module")
def server(rclone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Keeps the times that its files have."""
    with rclone_s3(rclone, tmp_path_factory.mktemp("same")) as running:
        yield running


@pytest.fixture
def jobs(restic: Path, tmp_path: Path, initialized: Path) -> Jobs:
    return Jobs(restic, tmp_path / "jobs", initialized=initialized)


@pytest.fixture
def back_up(environment: WorkerEnvironment, configure: Configure, jobs: Jobs) -> Run:
    """Runs a backup of a part of the bucket; jobs of one test go into one store, unless another is named."""

    async def run(
        server: S3Server,
        prefix: str,
        mode: Mode = "sync",
        *,
        store: str = "store",
        bucket: str = BUCKET,
        endpoint: str = "",
        **others: str,
    ) -> Ended:
        fields = server.fields(f"{bucket}/{prefix}".rstrip("/"), **others)
        configuration = configure("source", "s3", endpoint=endpoint or server.endpoint, **fields)
        integration = S3Integration(replace(environment, reading=mode), pause_seconds=0.01)
        return await jobs.run(integration, configuration, store=store)

    return run


class TestChanges:
    """An object that is overwritten with as many bytes at the same time."""

    @both_ways
    async def test_another_content_with_the_same_size_and_time_is_taken_in(
        self, back_up: Run, server: S3Server, mode: Mode
    ) -> None:
        overwrite(server, f"{mode}/a", b"AAAA")
        first = await back_up(server, mode, mode)
        overwrite(server, f"{mode}/a", b"BBBB")

        second = await back_up(server, mode, mode)

        assert (first.code, second.code) == ("", "")
        assert first.files == {"a": b"AAAA"}
        assert second.files == {"a": b"BBBB"}

    @needs_mount
    async def test_each_store_is_compared_with_what_it_holds(self, back_up: Run, server: S3Server) -> None:
        overwrite(server, "two/a", b"AAAA")
        await back_up(server, "two", "mount")
        overwrite(server, "two/a", b"BBBB")
        await back_up(server, "two", "mount", store="other")

        again = await back_up(server, "two", "mount")

        assert again.files == {"a": b"BBBB"}

    @needs_mount
    async def test_a_mount_is_read_whole_only_where_that_is_needed(self, back_up: Run, server: S3Server) -> None:
        overwrite(server, "once/a", b"AAAA")
        first = await back_up(server, "once", "mount")
        second = await back_up(server, "once", "mount")

        assert "Every file is read" in first.text
        assert "Every file is read" not in second.text
        assert second.files == {"a": b"AAAA"}

    @needs_mount
    async def test_times_that_a_mount_shows_otherwise_hide_no_change(self, back_up: Run, server: S3Server) -> None:
        turns = []
        for data in (b"AAAA", b"BBBB", b"CCCC"):
            overwrite(server, "early/a", data, mtime="-0.5")
            turns.append(await back_up(server, "early", "mount"))

        assert [turn.files for turn in turns] == [{"a": b"AAAA"}, {"a": b"BBBB"}, {"a": b"CCCC"}]

    @needs_mount
    async def test_a_parent_that_was_removed_is_done_without(self, back_up: Run, server: S3Server, jobs: Jobs) -> None:
        overwrite(server, "gone/a", b"AAAA")
        await back_up(server, "gone", "mount")
        for snapshot in (Path(jobs.store().address) / "snapshots").iterdir():
            snapshot.unlink()

        again = await back_up(server, "gone", "mount")

        assert (again.code, again.files) == ("", {"a": b"AAAA"})

    async def test_a_copy_that_was_tampered_with_is_copied_again(
        self, back_up: Run, server: S3Server, environment: WorkerEnvironment
    ) -> None:
        overwrite(server, "copy/a", b"AAAA")
        await back_up(server, "copy")
        (copied,) = environment.work_dir.glob("sources/*/copy/a")
        copied.unlink()

        again = await back_up(server, "copy")

        assert again.files == {"a": b"AAAA"}


class TestNames:
    @both_ways
    async def test_names_that_only_look_alike_are_different_objects(
        self, back_up: Run, moto: S3Server, mode: Mode
    ) -> None:
        objects = {f"{name}é.txt": b"c" for name in ("nfc-",)} | {"nfc-e\u0301.txt": b"d"}
        objects |= {"caf\u00e9/a": b"1", "cafe\u0301/b": b"2", "A": b"3", "a": b"4"}
        moto.fill({f"alike-{mode}/{key}": data for key, data in objects.items()})

        ended = await back_up(moto, f"alike-{mode}", mode)

        assert (ended.code, ended.files) == ("", objects)

    @both_ways
    async def test_keys_that_are_no_paths_are_kept_or_named(self, back_up: Run, moto: S3Server, mode: Mode) -> None:
        plain = {
            "x/ok": b"1",
            "a/ok": b"2",
            "mark‛": b"3",
            "./c": b"4",
            "a/../b": b"5",
            "tab\there": b"6",
            "q: r": b"7",
        }
        odd = {"x//y.txt": b"8", "/lead": b"9", "both": b"10", "both/b": b"11", "end/": b"12", "l" * 300: b"13"}
        objects = plain | odd
        moto.fill({f"odd-{mode}/{key}": data for key, data in objects.items()})

        ended = await back_up(moto, f"odd-{mode}", mode)

        assert held(ended) | named(ended, objects) == objects.keys()
        assert all(data == objects[key_of(path)] for path, data in ended.files.items())
        if mode == "sync":
            assert (ended.code, held(ended)) == ("", set(objects))
        else:
            assert ended.code == "backup_incomplete"
            assert held(ended) == {*plain, "both/b"}

    async def test_markers_of_folders_are_folders(self, back_up: Run, moto: S3Server) -> None:
        moto.fill({"marked/": b"", "marked/empty/": b"", "marked/full/": b"", "marked/full/a": b"1"})

        ended = await back_up(moto, "marked")

        assert (ended.code, ended.files, ended.folders) == ("", {"full/a": b"1"}, frozenset({"empty", "full"}))

    @needs_mount
    async def test_folders_only_can_be_asked_for_with_a_mount(self, back_up: Run, moto: S3Server) -> None:
        moto.fill({"bare/": b"", "hollow/": b"", "hollow/inner/": b""})

        bare, hollow = await back_up(moto, "bare", "mount"), await back_up(moto, "hollow", "mount")

        assert (bare.code, hollow.code) == ("source_empty", "")
        assert (hollow.files, hollow.folders) == ({}, frozenset({"inner"}))

    @both_ways
    async def test_a_bucket_can_be_read_as_a_whole(self, back_up: Run, moto: S3Server, mode: Mode) -> None:
        moto.client().create_bucket(Bucket=f"whole-{mode}")
        moto.fill({"a": b"1", "folder/b": b"2"}, f"whole-{mode}")

        ended = await back_up(moto, "", mode, bucket=f"whole-{mode}")

        assert (ended.code, ended.files) == ("", {"a": b"1", "folder/b": b"2"})

    @both_ways
    async def test_a_bucket_can_be_in_the_name_of_the_host(
        self, back_up: Run, behind: tuple[S3Server, Faults], mode: Mode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server, faults = behind
        server.fill({f"hosted-{mode}/a": b"1"})
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setattr(socket, "getaddrinfo", partial(look_up, socket.getaddrinfo))
        faults.hosts.clear()

        ended = await back_up(server, f"hosted-{mode}", mode, endpoint=f"s3.test:{server.port}", virtual_host="true")

        assert (ended.code, ended.files) == ("", {"a": b"1"})
        assert faults.hosts == {f"{BUCKET}.s3.test:{server.port}"}

    @needs_mount
    async def test_an_object_called_like_the_root_is_not_the_source(self, back_up: Run, moto: S3Server) -> None:
        moto.fill({"twin": b"other", "twin/a": b"1"})

        ended = await back_up(moto, "twin", "mount")

        assert (ended.code, ended.files) == ("", {"a": b"1"})

    @pytest.mark.parametrize("prefix", ["ends in a space ", "a: b", "50%zz/%41+&=;'ü"])
    async def test_any_prefix_can_be_a_root(self, back_up: Run, moto: S3Server, prefix: str) -> None:
        moto.fill({f"{prefix}/a": b"1", prefix.strip(): b"other", f"{prefix}b": b"other"})

        ended = await back_up(moto, prefix)

        assert (ended.code, ended.files) == ("", {"a": b"1"})

    async def test_an_object_becomes_a_folder_and_back(self, back_up: Run, moto: S3Server) -> None:
        moto.fill({"turns/a": b"1"})
        assert (await back_up(moto, "turns")).files == {"a": b"1"}
        moto.fill({"turns/a/b": b"2"})
        assert (await back_up(moto, "turns")).files == {path_of("a", beside_folder=True): b"1", "a/b": b"2"}
        moto.client().delete_object(Bucket=BUCKET, Key="turns/a/b")

        assert (await back_up(moto, "turns")).files == {"a": b"1"}


class TestFaults:
    @both_ways
    async def test_one_object_costs_no_other(self, back_up: Run, behind: tuple[S3Server, Faults], mode: Mode) -> None:
        server, faults = behind
        prefix = f"faults-{mode}"
        server.fill({f"{prefix}/{key}": b"data" for key in ("good", "lost: a", "shut", "‛")})
        faults.of |= {f"{BUCKET}/{prefix}/lost: a": "missing", f"{BUCKET}/{prefix}/shut": "forbidden"}

        ended = await back_up(server, prefix, mode)

        assert ended.code == "backup_incomplete"
        assert held(ended) == {"good", "‛"}
        assert "/lost: a (object_missing: is listed, but the server answers that it does not exist)" in ended.detail
        assert "/shut (object_forbidden: the access key does not have the right to read it)" in ended.detail
        assert ended.detail.startswith("2 files or directories could not be read")

    @both_ways
    async def test_an_archived_object_is_named_with_its_class(self, back_up: Run, moto: S3Server, mode: Mode) -> None:
        prefix, client = f"archive-{mode}", moto.client()
        for key, kept_in in {"cold: old": "GLACIER", "deep": "DEEP_ARCHIVE", "warm": "STANDARD_IA"}.items():
            client.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"data", StorageClass=kept_in)

        ended = await back_up(moto, prefix, mode)

        assert held(ended) == {"warm"}
        for key, kept_in in (("cold: old", "GLACIER"), ("deep", "DEEP_ARCHIVE")):
            reason = f"object_archived: is in archive class {kept_in} and must be retrieved first"
            assert f"/{key} ({reason})" in ended.detail

    async def test_what_cannot_be_read_is_not_stood_in_for_by_an_old_version(
        self, back_up: Run, behind: tuple[S3Server, Faults]
    ) -> None:
        server, faults = behind
        server.fill({"old/a": b"1", "old/b": b"2"})
        await back_up(server, "old")
        server.fill({"old/a": b"1 and more"})
        faults.of[f"{BUCKET}/old/a"] = "broken"

        ended = await back_up(server, "old")

        assert ended.files == {"b": b"2"}
        assert "/a (object_unreadable: the server answers 500 InternalError)" in ended.detail

    async def test_an_answer_that_breaks_off_is_no_content(self, back_up: Run, behind: tuple[S3Server, Faults]) -> None:
        server, faults = behind
        server.fill({"cut/a": b"1" * 100_000, "cut/b": b"2"})
        faults.of[f"{BUCKET}/cut/a"] = "cut"

        ended = await back_up(server, "cut")

        assert ended.files == {"b": b"2"}
        assert "/a (object_unreadable: the server breaks off its answer)" in ended.detail

    @needs_mount
    async def test_a_file_that_a_mount_cuts_off_is_named_and_read_again(
        self, back_up: Run, behind: tuple[S3Server, Faults]
    ) -> None:
        server, faults = behind
        server.fill({"short/a": b"data", "short/b": b"2"})
        faults.of[f"{BUCKET}/short/a"] = "mute"
        first = await back_up(server, "short", "mount")
        faults.of.clear()

        second = await back_up(server, "short", "mount")

        assert first.code == "backup_incomplete"
        assert "/a (object_unreadable: has 0 bytes in the restore point, but 4 in the source)" in first.detail
        assert (second.code, second.files) == ("", {"a": b"data", "b": b"2"})

    @needs_mount
    async def test_a_folder_that_a_mount_cannot_list_costs_no_other(
        self, back_up: Run, behind: tuple[S3Server, Faults]
    ) -> None:
        server, faults = behind
        server.fill({f"folders/{key}": b"data" for key in ("shut/a", "shut/below/b", "open/c")})
        faults.folders.add("folders/shut/")

        ended = await back_up(server, "folders", "mount")

        assert (ended.code, held(ended)) == ("backup_incomplete", {"open/c"})
        for key in ("shut/a", "shut/below/b"):
            assert f"/{key} (object_not_shown: is listed, but the mount does not show it" in ended.detail

    @needs_mount
    @pytest.mark.parametrize(("ignored", "left"), [("/shut", {"open/b"}), ("*", set())])
    async def test_what_is_left_out_of_a_mount_on_purpose_is_not_missed(
        self,
        moto: S3Server,
        jobs: Jobs,
        environment: WorkerEnvironment,
        configure: Configure,
        ignored: str,
        left: set[str],
    ) -> None:
        moto.fill({"purpose/shut/a": b"1", "purpose/open/b": b"2"})
        source = S3Integration(replace(environment, reading="mount"))
        configuration = configure("source", "s3", endpoint=moto.endpoint, **moto.fields(f"{BUCKET}/purpose"))

        ended = await jobs.run(source, configuration, ignores=(ignored,), allow_empty=True)

        assert (ended.code, held(ended)) == ("", left)

    @both_ways
    async def test_servers_without_tags_are_judged_by_size_and_time(
        self, back_up: Run, behind: tuple[S3Server, Faults], mode: Mode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server, faults = behind
        monkeypatch.setattr(faults, "tells_tags", False)
        server.fill({f"tagless-{mode}/a": b"1", f"tagless-{mode}/b": b"2"})
        first = await back_up(server, f"tagless-{mode}", mode)
        server.fill({f"tagless-{mode}/a": b"longer"})
        faults.gets.clear()

        second = await back_up(server, f"tagless-{mode}", mode)

        assert (first.code, first.files) == ("", {"a": b"1", "b": b"2"})
        assert (second.code, second.files) == ("", {"a": b"longer", "b": b"2"})
        assert {name for name in faults.gets if "tagless" in name} == {f"{BUCKET}/tagless-{mode}/a"}

    async def test_all_that_is_left_out_is_in_the_log(self, back_up: Run, behind: tuple[S3Server, Faults]) -> None:
        server, faults = behind
        keys = [f"{number:03}" for number in range(120)]
        server.fill({f"many/{key}": b"" for key in (*keys, "good")})
        faults.of |= {f"{BUCKET}/many/{key}": "missing" for key in keys}

        ended = await back_up(server, "many")

        assert ended.detail.startswith("120 files or directories could not be read: /000 (")
        assert named(ended, keys) == set(keys)

    async def test_only_what_changed_is_asked_for(self, back_up: Run, behind: tuple[S3Server, Faults]) -> None:
        server, faults = behind
        server.fill({"asked/a": b"1", "asked/b": b"2"})
        await back_up(server, "asked")
        server.fill({"asked/b": b"3"})
        faults.gets.clear()

        ended = await back_up(server, "asked")

        assert ended.files == {"a": b"1", "b": b"3"}
        assert faults.gets == [f"{BUCKET}/asked/b"]

    async def test_more_objects_than_a_page_holds(self, back_up: Run, moto: S3Server) -> None:
        objects = {f"{number:04}": b"" for number in range(1005)}
        await asyncio.to_thread(moto.fill, {f"pages/{key}": data for key, data in objects.items()})

        ended = await back_up(moto, "pages")

        assert (ended.code, ended.files) == ("", objects)


def look_up(really: Callable[..., Any], host: str | bytes | None, *asked: Any, **options: Any) -> Any:
    """Names below `s3.test` are this machine's."""
    is_ours = isinstance(host, str) and host.endswith("s3.test")
    return really("127.0.0.1" if is_ours else host, *asked, **options)


def overwrite(server: S3Server, key: str, data: bytes, *, mtime: str = "1700000000") -> None:
    """The server keeps the time that it is given."""
    server.client().put_object(Bucket=BUCKET, Key=key, Body=data, Metadata={"mtime": mtime})


def held(ended: Ended) -> set[str]:
    """Keys of the objects in the restore point."""
    return {key_of(path) for path in ended.files}


def named(ended: Ended, keys: "list[str] | dict[str, bytes]") -> set[str]:
    """Those of the keys that a line of the log names with a reason."""
    return {key for key in keys if any(line.startswith(f"/{key}: object_") for line in ended.lines)}
