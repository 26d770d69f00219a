"""Paths in restore points."""

import pytest
from contracts.errors import Invalid
from contracts.paths import normalized, shown, split_path, without_prefix


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"/", []),
        (b"/a", [b"a"]),
        (b"/a/", [b"a"]),
        (b"/a b/c\nd/\xff", [b"a b", b"c\nd", b"\xff"]),
        (b"/...", [b"..."]),
        (b"/" + b"n" * 255, [b"n" * 255]),
    ],
)
def test_a_path_is_names_from_the_root(raw: bytes, parts: list[bytes]) -> None:
    assert split_path(raw) == parts


@pytest.mark.parametrize("raw", [b"", b"a", b"//", b"/a//b", b"/a//", b"/.", b"/..", b"/a/../b", b"/a/./b", b"/a\x00"])
def test_other_texts_are_no_paths(raw: bytes) -> None:
    with pytest.raises(Invalid, match="path_invalid"):
        split_path(raw)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/srv/data", "/srv/data"),
        ("/srv/data/", "/srv/data/"),
        ("/srv//data///", "/srv/data/"),
        ("/srv/./a/../data/.", "/srv/data"),
        ("//srv/data ", "/srv/data "),
        ("/..", "/"),
        ("/../../a/...", "/a/..."),
        ("/", "/"),
    ],
)
def test_a_normalized_path_has_none_of_the_parts_that_paths_lack(path: str, plain: str) -> None:
    assert normalized(path) == plain
    split_path(normalized(path).encode())


@pytest.mark.parametrize(
    ("names", "source", "rest"),
    [
        ([b"srv", b"data", b"x"], "/srv/data", [b"x"]),
        ([b"srv", b"data"], "/srv/data/", []),
        ([b"srv"], "/srv/data", None),
        ([b"other"], "/srv", None),
        ([b"x"], "/", None),
        ([b"x"], "", None),
    ],
)
def test_a_path_may_begin_with_the_place_on_the_source(
    names: list[bytes], source: str, rest: list[bytes] | None
) -> None:
    assert without_prefix(names, source) == rest


@pytest.mark.parametrize(("name", "text"), [(b"a", "a"), ("ü".encode(), "ü"), (b"\xff", "\\xff")])
def test_a_name_can_always_be_shown(name: bytes, text: str) -> None:
    assert shown(name) == text
