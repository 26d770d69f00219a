"""Index files larger than those restic writes today."""

import json
import os
import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from restic_reader import FileKind, IndexLimits, Limits, Repository
from restic_reader.errors import BlobMissing, Damaged
from restic_reader.index.large_index_files import split_packs
from restic_reader.structs import IndexFile, IndexPack

from tests.unit.restic_reader.builder import PASSWORD, Builder


def cut(document: bytes, at: Iterator[int]) -> Iterator[bytes]:
    while document:
        size = next(at)
        yield document[:size]
        document = document[size:]


def split(document: bytes, seed: int) -> list[IndexPack]:
    chance = random.Random(seed)
    sizes = iter(lambda: chance.choice((1, 2, 3, 10, 1000)), None)
    return [pack for batch in split_packs(cut(document, sizes)) for pack in batch]


names = st.sampled_from(["packs", "supersedes", "id", "x", 'qu"ote', "back\\slash", "br{a]ck}e[ts", "\u00fc\u2028"])
others = st.recursive(
    st.none() | st.booleans() | names | st.text(max_size=5) | st.integers(),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(names, below, max_size=2),
    max_leaves=4,
)
blobs = st.fixed_dictionaries(
    {"id": names, "type": names, "offset": st.integers(0, 9), "length": st.just(40)}, optional={"other": others}
)
packs = st.fixed_dictionaries({"id": names, "blobs": st.none() | st.lists(blobs, max_size=2)})
around = st.dictionaries(names.filter(lambda name: name != "packs"), others, max_size=2)
documents = st.builds(
    lambda before, packs, after: {**before, "packs": packs, **after}, around, st.lists(packs, max_size=3), around
)


@given(documents, st.integers(0, 1000), st.sampled_from([None, 0, 3]), st.booleans())
def test_what_is_split_is_what_is_decoded_at_once(
    document: dict[str, object], seed: int, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    assert split(text, seed) == msgspec.json.decode(text, type=IndexFile).packs


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'["packs",[]]',
        b'{"packs":[{"id":"a"}',
        b'{"packs":[{"id":"a"}]',
        b'{"packs":[{"id":"a}]}',
        b'{"packs":[]}{"packs":[]}',
        b'{"packs":[]}}',
        b'{"packs":[{"id":3}]}',
        b'{"packs":[{"id":"a"]}]}',
        b'{"packs":[[{"id":"a"}]]}',
        b'{"packs":[{"id":"a","blobs":[{"id":"b"}]}]}',
    ],
)
def test_what_is_no_index_file_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        split(text, seed=1)


SMALL = IndexLimits(large_file_bytes=100, whole_bytes=100, piece_bytes=1000)
"""With these limits everything that is larger than a few bytes counts as large."""


def opened(builder: Builder, limits: IndexLimits = SMALL, *, cache_dir: Path | None = None) -> Repository:
    return Repository.open(builder.files, PASSWORD, cache_dir=cache_dir, limits=Limits(index=limits))


@pytest.fixture
def builder(request: pytest.FixtureRequest) -> Builder:
    return Builder(getattr(request, "param", 2))


@pytest.mark.parametrize("builder", [1, 2], indirect=True)
@pytest.mark.parametrize("with_directory", [True, False])
def test_a_large_index_file_is_read(builder: Builder, with_directory: bool, tmp_path: Path) -> None:
    contents = [os.urandom(50) for _ in range(300)]
    _, ids = builder.pack(*contents)
    with opened(builder, cache_dir=tmp_path if with_directory else None) as repository:
        assert [repository.load_blob(blob) for blob in ids] == contents


@pytest.mark.parametrize("offset", [0, 20, 5000, -17, -1])
def test_a_changed_large_index_file_is_named(builder: Builder, offset: int) -> None:
    builder.pack(*[os.urandom(50) for _ in range(300)])
    name = next(name for kind, name in builder.files.files if kind is FileKind.INDEX)
    builder.change(FileKind.INDEX, name, offset)
    assert wrong_with(builder).name == name
    data = builder.remove(FileKind.INDEX, name)
    moved = builder.put(FileKind.INDEX, data)  # the right name for what it is now, but not sealed with the key
    wrong = wrong_with(builder)
    assert wrong.name == moved
    assert "sealed" in wrong.why


def wrong_with(builder: Builder, limits: IndexLimits = SMALL) -> Damaged:
    """What is wrong with the one index file that cannot be read."""
    with opened(builder, limits) as repository, pytest.raises(BlobMissing) as caught:
        repository.load_blob("0" * 64)
    (wrong,) = caught.value.unreadable
    return wrong


def test_one_that_breaks_off_in_the_middle_leaves_nothing_behind(builder: Builder) -> None:
    _, (good,) = builder.pack(b"good")
    name, (first,) = builder.pack(b"first", indexed=False)
    blob = {"id": first, "type": "data", "offset": 0, "length": 40}
    packs = [{"id": name, "blobs": [blob]}] * 600
    builder.document(FileKind.INDEX, {"packs": [*packs, {"id": name, "blobs": [{**blob, "offset": -1}]}]})
    with opened(builder, replace(SMALL, whole_bytes=1000)) as repository:
        assert repository.load_blob(good) == b"good"
        assert repository.index_size == 1


def test_a_document_that_grows_without_end_is_damage(builder: Builder) -> None:
    builder.document(FileKind.INDEX, {"packs": [], "x": "y" * (20 << 20)})
    tracemalloc.start()
    wrong_with(builder, replace(SMALL, expanded_bytes=4 << 20))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 18 << 20
