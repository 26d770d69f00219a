"""Whatever a repository holds, reading it gives values or a `ReaderError`; the store may be anybody's.

`make test-long` tries more of it.
"""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from connector.stores.directory_pages import PageMaker
from connector.stores.restore_points import restore_point_of
from contracts.values import AppId, OrganizationId
from hypothesis import given
from hypothesis import strategies as st
from restic_reader import Entry, FileKind, IndexLimits, Limits, Repository
from restic_reader.crypto import Box, Keys, NotAuthentic, derive_keys
from restic_reader.errors import ReaderError
from restic_reader.restic_json import posix_mode, time_ns, unquote

from tests.unit.restic_reader.builder import PASSWORD, Builder, dir_node, file_node, seal, sha256
from tests.unit.restic_reader.mutations import changed_bytes, changed_json, fuzzed, odd_bytes

pytestmark = pytest.mark.fuzz
CONTENT = [b"some content" * 30, b"and more of it"]
KEYS = Keys(b"e" * 32, b"k" * 16, b"r" * 16)
SALT = b"s" * 16
CHEAP_KEYS = Limits(key_work=1 << 12)
"""Keys made up by chance that take half a minute are refused, like those that take hours."""
NOTHING_TO_SAY = "a quiet day"

SOUND = Builder(keys=KEYS)
_, _IDS = SOUND.pack(*CONTENT)
NODES: list[dict[str, Any]] = [
    {
        **file_node("file", _IDS, sum(map(len, CONTENT))),
        "uid": 1, "gid": 2, "user": "u", "group": "g", "links": 3, "inode": 4, "device_id": 5,
        "atime": "2026-01-02T03:04:05Z", "ctime": "2026-01-02T03:04:05.1+01:00",
        "extended_attributes": [{"name": "user.a", "value": "YQ=="}],
    },
    {"name": r"l\xffnk", "type": "symlink", "mode": 0o777, "linktarget": "x", "linktarget_raw": "eA=="},
    dir_node("sub", SOUND.tree()),
]  # fmt: skip
TREE = SOUND.tree(*NODES)
SNAPSHOT = {
    "time": "2026-01-02T03:04:05.123456789+01:00", "tree": TREE, "paths": ["/data"], "hostname": "h", "username": "u",
    "uid": 1, "gid": 2, "excludes": ["x"], "tags": ["t"], "parent": "0" * 64, "original": "1" * 64,
    "program_version": "restic 0.19.1", "summary": {"total_files_processed": 3, "backup_start": "2026"},
}  # fmt: skip
CONFIG = {"version": 2, "id": "0" * 64, "chunker_polynomial": "25b468838dcb75"}
MASTER = {
    "mac": {"k": base64.b64encode(KEYS.mac_k).decode(), "r": base64.b64encode(KEYS.mac_r).decode()},
    "encrypt": base64.b64encode(KEYS.encryption).decode(),
}
KEY = {"kdf": "scrypt", "N": 16, "r": 8, "p": 1, "salt": base64.b64encode(SALT).decode(), "data": "", "username": "u"}
INDEX = {
    "supersedes": ["2" * 64],
    "packs": [
        {
            "id": "3" * 64,
            "blobs": [
                {"id": "4" * 64, "type": "data", "offset": 0, "length": 50},
                {"id": "5" * 64, "type": "tree", "offset": 50, "length": 60, "uncompressed_length": 99},
            ],
        }
    ],
}


def a_builder(**replaced: bytes) -> Builder:
    """A sound repository, but for the plaintext of the config, a snapshot, an index file, a tree, or the key file."""
    builder = Builder(keys=KEYS)
    builder.files.files = dict(SOUND.files.files)
    if "tree" in replaced:
        _, (tree,) = builder.pack(replaced["tree"], kind="tree")
        builder.document(FileKind.SNAPSHOT, {**SNAPSHOT, "tree": tree})
    else:
        builder.document(FileKind.SNAPSHOT, SNAPSHOT)
    for kind in (FileKind.SNAPSHOT, FileKind.INDEX):
        if kind.word in replaced:
            builder.put(kind, seal(KEYS, replaced[kind.word]))
    if "config" in replaced:
        builder.files.files[FileKind.CONFIG, ""] = seal(KEYS, replaced["config"])
    if "key" in replaced:
        for name in [name for kind, name in builder.files.files if kind is FileKind.KEY]:
            builder.remove(FileKind.KEY, name)
        builder.put(FileKind.KEY, replaced["key"])
    return builder


def read_everything(builder: Builder, limits: Limits = CHEAP_KEYS) -> None:
    """All there is, each part by itself; raises what is no `ReaderError`."""
    opened = partial(Repository.open, builder.files, PASSWORD, cache_bytes=1 << 20, limits=limits)
    with suppress(ReaderError), opened() as repository:
        for name in repository.snapshot_ids():
            with suppress(ReaderError):
                _read_snapshot(repository, name)
        with suppress(ReaderError):
            repository.snapshots()
        for blob in (*_IDS, "4" * 64, "5" * 64):
            with suppress(ReaderError):
                repository.load_blob(blob)


def _read_snapshot(repository: Repository, name: str) -> None:
    snapshot = repository.snapshot(name)
    with suppress(ReaderError):
        point = restore_point_of(snapshot, org=OrganizationId("org"), store_id=AppId("store"))
        assert len(point.model_dump_json()) < 1 << 20
    with suppress(ReaderError):
        for directory in repository.walk_new(snapshot.tree, lambda ids: {}):
            list(PageMaker().pages(directory))
    with suppress(ReaderError):
        for node in repository.tree(snapshot.tree):
            _read_node(repository, snapshot.tree, node)


def _read_node(repository: Repository, root: str, node: Entry) -> None:
    readings: list[Callable[[], object]] = [
        lambda: node.name, lambda: node.shown_name, lambda: node.mtime_ns, lambda: node.atime_ns, lambda: node.ctime_ns,
        lambda: node.st_mode, lambda: node.link_target, lambda: repository.resolve(root, b"/" + node.name, shown=True),
        lambda: list(repository.read(repository.resolve(root, b"/" + node.name))),
        lambda: repository.content_length(repository.resolve(root, b"/" + node.name)),
    ]  # fmt: skip
    for reading_ in readings:
        with suppress(ReaderError):
            reading_()


def test_what_is_not_changed_is_read() -> None:
    with Repository.open(a_builder().files, PASSWORD) as repository:
        (snapshot,) = repository.snapshots()
        assert b"".join(repository.read(repository.resolve(snapshot.tree, b"/file"))) == b"".join(CONTENT)
        assert len(list(repository.walk_new(snapshot.tree, lambda ids: {}))) == 2


@fuzzed
@given(changed_json(CONFIG))
def test_any_config(plaintext: bytes) -> None:
    read_everything(a_builder(config=plaintext))


@fuzzed
@given(changed_json(SNAPSHOT))
def test_any_snapshot(plaintext: bytes) -> None:
    read_everything(a_builder(snapshot=plaintext))


@fuzzed
@given(changed_json({"nodes": NODES}))
def test_any_tree(plaintext: bytes) -> None:
    read_everything(a_builder(tree=plaintext))


@fuzzed
@given(changed_json(INDEX))
def test_any_index_file(plaintext: bytes) -> None:
    read_everything(a_builder(index=plaintext))


@fuzzed
@given(changed_json(INDEX))
def test_any_large_index_file(plaintext: bytes) -> None:
    small = IndexLimits(large_file_bytes=64, whole_bytes=64, piece_bytes=64)
    read_everything(a_builder(index=plaintext), replace(CHEAP_KEYS, index=small))


@fuzzed
@given(changed_json(KEY))
def test_any_key_file(file: bytes) -> None:
    read_everything(a_builder(key=file))


@fuzzed
@given(changed_json(MASTER))
def test_any_master_keys(plaintext: bytes) -> None:
    derived = derive_keys(PASSWORD.encode(), salt=SALT, n=16, r=8, p=1)
    document = {**KEY, "data": base64.b64encode(seal(derived, plaintext)).decode()}
    read_everything(a_builder(key=json.dumps(document).encode()))


@fuzzed
@given(st.sampled_from(sorted(SOUND.files.files)), st.data())
def test_any_file_changed_in_the_store(key: tuple[FileKind, str], data: st.DataObject) -> None:
    builder = a_builder()
    builder.files.files[key] = data.draw(changed_bytes(builder.files.files[key]))
    read_everything(builder)


@fuzzed
@given(st.binary(max_size=200) | changed_bytes(seal(KEYS, b"text" * 10)))
def test_any_box(sealed: bytes) -> None:
    with suppress(NotAuthentic):
        Box(KEYS).open(sealed)


frames = st.one_of(
    changed_bytes(zstandard.compress(json.dumps(SNAPSHOT).encode())),
    changed_bytes(zstandard.ZstdCompressor(write_content_size=False).compress(NOTHING_TO_SAY.encode() * 50)),
    st.builds(lambda size: zstandard.compress(bytes(size)), st.integers(0, 1 << 20)),
    odd_bytes.map(lambda rest: b"\x28\xb5\x2f\xfd" + rest),
)


@fuzzed
@given(frames)
def test_any_compressed_document(frame: bytes) -> None:
    read_everything(a_builder(snapshot=b"\x02" + frame, config=b"\x02" + frame))
    read_everything(a_builder(index=b"\x02" + frame))


@fuzzed
@given(frames, st.integers(0, (1 << 32) - 1) | st.sampled_from([len(NOTHING_TO_SAY) * 50, 1, 128 << 20]))
def test_any_compressed_blob(frame: bytes, length: int) -> None:
    builder = a_builder()
    sealed = seal(KEYS, frame)
    entry = {"id": "4" * 64, "type": "data", "offset": 0, "length": len(sealed), "uncompressed_length": length}
    builder.document(FileKind.INDEX, {"packs": [{"id": builder.put(FileKind.PACK, sealed), "blobs": [entry]}]})
    with Repository.open(builder.files, PASSWORD) as repository, pytest.raises(ReaderError):
        repository.load_blob("4" * 64)


def test_a_frame_that_does_not_tell_its_size_is_read() -> None:
    builder, content = a_builder(), NOTHING_TO_SAY.encode() * 50
    sealed = seal(KEYS, zstandard.ZstdCompressor(write_content_size=False).compress(content))
    for length in (len(content), len(content) - 1, len(content) + 1):
        blob = sha256(content) if length == len(content) else f"{length:064x}"
        entry = {"id": blob, "type": "data", "offset": 0, "length": len(sealed), "uncompressed_length": length}
        builder.document(FileKind.INDEX, {"packs": [{"id": builder.put(FileKind.PACK, sealed), "blobs": [entry]}]})
    with Repository.open(builder.files, PASSWORD) as repository:
        assert repository.load_blob(sha256(content)) == content
        for wrong in (len(content) - 1, len(content) + 1):
            with pytest.raises(ReaderError):
                repository.load_blob(f"{wrong:064x}")


@fuzzed
@given(st.text() | st.text(alphabet='\\xu08Uabfn"'))
def test_any_name(quoted: str) -> None:
    with suppress(ReaderError):
        assert isinstance(unquote(quoted), bytes)


@fuzzed
@given(
    st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*)?(Z|[+-]\d\d:\d\d)?") | st.text("0123456789-:TZ.+")
)
def test_any_time(text: str) -> None:
    with suppress(ReaderError):
        assert abs(time_ns(text)) < 1 << 70


@fuzzed
@given(st.text(), st.integers(min_value=0))
def test_any_mode(kind: str, go_mode: int) -> None:
    assert 0 <= posix_mode(kind, go_mode) < 1 << 16


@fuzzed
@given(table=st.data())
def test_any_table_on_the_disk(table: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("tables")
    builder = a_builder()
    for _ in range(2):
        with Repository.open(builder.files, PASSWORD, cache_dir=directory) as repository:
            assert [repository.load_blob(blob) for blob in _IDS] == CONTENT
        for path in directory.glob("*.blobs"):
            Path(path).write_bytes(table.draw(changed_bytes(path.read_bytes())))
    with Repository.open(builder.files, PASSWORD, cache_dir=directory) as repository:
        assert [repository.load_blob(blob) for blob in _IDS] == CONTENT
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
