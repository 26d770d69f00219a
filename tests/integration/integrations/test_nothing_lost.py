"""Whatever a source lists is in the restore point as it is, or named in a job that does not plainly succeed."""

import asyncio
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from integrations.fs.integration import FsIntegration
from integrations.object_storage.key_paths import key_of
from integrations.s3.integration import S3Integration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.text import one_line

from tests.integration.integrations.conftest import Configure, needs_mount
from tests.support.faulty import Fault, Faults, faulty_s3
from tests.support.jobs import Ended, Jobs
from tests.support.s3 import BUCKET, S3Server, moto_s3
from tests.support.unprivileged import write_unprivileged

pytestmark = pytest.mark.fuzz
any_example = settings(
    max_examples=max(2, int(os.environ.get("CAIRN_FUZZ_EXAMPLES", "0")) // 100),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # Making a failing case smaller takes many backups.
    print_blob=True,
    derandomize="CAIRN_FUZZ_EXAMPLES" not in os.environ,  # `make test` tries the same cases each time.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_numbers = count()

PARTS = [
    "",
    ".",
    "..",
    "a",
    "b",
    "é",
    "e\u0301",
    "‛",
    "‛_",
    "‛f",
    "．",
    "q: r",
    " ",
    "x ",
    "A",
    "l" * 256,
    "\t",
    "%41",
    "*?[",
]
parts = st.sampled_from(PARTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0\r\n"), min_size=1, max_size=8
)
keys = st.lists(parts, min_size=1, max_size=4).map("/".join).filter(bool)


@dataclass(frozen=True)
class Put:
    """What happens to a key."""

    data: bytes
    storage_class: str = "STANDARD"
    fault: Fault | None = None


puts = st.builds(
    Put,
    st.binary(max_size=4),
    st.sampled_from(["STANDARD", "STANDARD", "STANDARD", "GLACIER"]),
    st.sampled_from([None, None, None, "missing", "forbidden", "mute"]),
)
buckets = st.dictionaries(keys, puts, min_size=1, max_size=12)


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[S3Server, Faults]]:
    with moto_s3() as moto, faulty_s3(moto) as running:
        yield running


class TestBuckets:
    """Two backups, between which the bucket changes."""

    @any_example
    @given(before=buckets, after=buckets)
    def test_of_a_copy(
        self,
        before: dict[str, Put],
        after: dict[str, Put],
        behind: tuple[S3Server, Faults],
        environment: WorkerEnvironment,
        configure: Configure,
        jobs: Callable[[], Jobs],
    ) -> None:
        check_bucket(before, after, behind, replace(environment, reading="sync"), configure, jobs())

    @needs_mount
    @any_example
    @given(before=buckets, after=buckets)
    def test_of_a_mount(
        self,
        before: dict[str, Put],
        after: dict[str, Put],
        behind: tuple[S3Server, Faults],
        environment: WorkerEnvironment,
        configure: Configure,
        jobs: Callable[[], Jobs],
    ) -> None:
        check_bucket(before, after, behind, replace(environment, reading="mount"), configure, jobs())


@pytest.fixture
def jobs(restic: Path, tmp_path: Path, initialized: Path) -> Callable[[], Jobs]:
    """A store of its own for each example; file modes count for restic also where tests run as root."""
    program = write_unprivileged(tmp_path / "restic", restic)
    return lambda: Jobs(program, tmp_path / f"jobs-{next(_numbers)}", initialized=initialized)


def check_bucket(
    before: dict[str, Put],
    after: dict[str, Put],
    behind: tuple[S3Server, Faults],
    environment: WorkerEnvironment,
    configure: Configure,
    jobs: Jobs,
) -> None:
    server, faults = behind
    number = next(_numbers)
    prefix = f"example-{number}"
    fresh = replace(environment, work_dir=environment.work_dir / str(number))
    fields = server.fields(f"{BUCKET}/{prefix}")
    configuration = configure("source", "s3", endpoint=server.endpoint, **fields)
    contents: dict[str, bytes] = {}
    for objects in (before, after):
        fill(server, faults, prefix, objects, contents)
        there = listed(server, prefix)
        ended = asyncio.run(jobs.run(S3Integration(fresh, pause_seconds=0.01), configuration))
        note(f"{there} -> {ended}")
        check(ended, {key: contents[key] for key in there})


def fill(server: S3Server, faults: Faults, prefix: str, objects: dict[str, Put], contents: dict[str, bytes]) -> None:
    """Put the objects that the server takes; those from before stay."""
    client = server.client()
    faults.of.clear()
    for key, put in objects.items():
        name = f"{prefix}/{key}"
        with suppress(ClientError):
            client.put_object(Bucket=BUCKET, Key=name, Body=put.data, StorageClass=put.storage_class)
            contents[key] = put.data
            if put.fault:
                faults.of[f"{BUCKET}/{name}"] = put.fault


def listed(server: S3Server, prefix: str) -> set[str]:
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    return {found["Key"].removeprefix(f"{prefix}/") for page in pages for found in page.get("Contents", ())}


def check(ended: Ended, there: dict[str, bytes]) -> None:
    held = {key_of(path): data for path, data in ended.files.items()}
    folders = {f"{key_of(path)}/" for path in ended.folders}
    named = {key for key in there if is_named(ended, f"/{key}", "object_")}
    assert {key for key in held if held[key] != there.get(key)} <= {key for key in named if is_cut_off(ended, key)}
    assert there.keys() == {key for key in there if key in held or key in named or (not there[key] and key in folders)}
    assert (ended.code == "") == (not named and bool(there))


def is_cut_off(ended: Ended, key: str) -> bool:
    """Whether a job says that its restore point has another amount of an object than the source."""
    shown = one_line(f"/{key}")
    return any(line.startswith(f"{shown}: object_unreadable: has 0 bytes in the restore point") for line in ended.lines)


def is_named(ended: Ended, path: str, reason: str = "") -> bool:
    shown = one_line(path)
    return any(line.startswith((f"{shown}: {reason}", f"{shown} ({reason}")) for line in ended.lines)


NAMES = [
    b"a",
    b"b",
    b"\xff",
    b" ",
    b"x ",
    b"q: r",
    b"\n",
    b"*",
    b"$HOME",
    b"e\xcc\x81",
    b"\xc3\xa9",
    b"#",
    b"l" * 255,
    b"\\",
]
names = st.sampled_from(NAMES) | st.binary(min_size=1, max_size=6).filter(
    lambda name: name not in (b".", b"..") and not set(name) & {0, 47}
)
KINDS = ["file", "file", "file", "shut file", "folder", "shut folder", "link", "pipe", "socket"]
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map(tuple),
    st.tuples(st.sampled_from(KINDS), st.binary(max_size=4)),
    max_size=12,
)


@any_example
@given(wanted=trees)
def test_of_a_directory(
    wanted: dict[tuple[bytes, ...], tuple[str, bytes]],
    environment: WorkerEnvironment,
    configure: Configure,
    jobs: Callable[[], Jobs],
    tmp_path: Path,
) -> None:
    root = tmp_path / f"tree-{next(_numbers)}"
    root.mkdir()
    (root / "always").write_bytes(b"there")
    made = {"always": b"there"} | make_tree(root, wanted)
    configuration = configure("source", "fs", root=str(root))

    ended = asyncio.run(jobs().run(FsIntegration(environment), configuration))

    open_again(root)
    note(f"{made} -> {ended}")
    held = ended.files.keys() | ended.folders | ended.others
    assert ended.files == {path: made[path] for path in ended.files}
    lost = {path for path in made if path not in held and not is_named_above(ended, path)}
    assert not lost
    assert (ended.code == "") == (made.keys() == held)


def make_tree(root: Path, wanted: dict[tuple[bytes, ...], tuple[str, bytes]]) -> dict[str, bytes | None]:
    """What could be made of it: content by path, None for what is no file."""
    for path, (kind, data) in wanted.items():
        place = root.joinpath(*map(os.fsdecode, path))
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            _MAKE[kind.removeprefix("shut ")](place, data)
    made: dict[str, bytes | None] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            place = Path(folder) / name
            is_file = place.is_file() and not place.is_symlink()  # A socket is in no restore point, and is named.
            made[str(place.relative_to(root))] = place.read_bytes() if is_file else None
    for path, (kind, _) in wanted.items():
        if kind.startswith("shut "):
            with suppress(OSError):
                root.joinpath(*map(os.fsdecode, path)).chmod(0)
    return made


def _make_socket(place: Path, _: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))


_MAKE: dict[str, Callable[[Path, bytes], object]] = {
    "file": lambda place, data: place.write_bytes(data),
    "folder": lambda place, _: place.mkdir(),
    "link": lambda place, data: place.symlink_to("nowhere"),
    "pipe": lambda place, _: os.mkfifo(place),
    "socket": _make_socket,
}


def open_again(root: Path) -> None:
    """So that it can be removed by who made it."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        folder.chmod(0o700)
        waiting += [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]


def is_named_above(ended: Ended, path: str) -> bool:
    """Whether the path or a folder above it is named: by its bytes, or by restic's sign for bytes that are no UTF-8
    where several names look alike with it.
    """
    names = path.split("/")
    whole = ["/" + "/".join(names[:end]) for end in range(1, len(names) + 1)]
    shown = {os.fsencode(each).decode("utf-8", "backslashreplace") for each in whole}
    return any(is_named(ended, each) for each in shown | {re.sub("[\udc80-\udcff]", "\ufffd", w) for w in whole})
