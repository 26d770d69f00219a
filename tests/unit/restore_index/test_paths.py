"""Paths and names, odd ones too."""

import pytest
from chassis.errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from restore_index.domain.paths import parse_path, readings, show, show_path, without_prefix

NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..")
)


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
    assert parse_path(raw) == parts


@pytest.mark.parametrize("raw", [b"", b"a", b"//", b"/a//b", b"/a//", b"/.", b"/..", b"/a/../b", b"/a/./b", b"/a\x00"])
def test_other_texts_are_no_paths(raw: bytes) -> None:
    with pytest.raises(Invalid, match="path_invalid"):
        parse_path(raw)


@given(NAMES)
def test_what_is_shown_of_a_name_leads_back_to_it(name: bytes) -> None:
    wanted = show(name).encode()
    if wanted.count(b"\\x") <= 8:
        assert name in readings(wanted)


@given(st.lists(NAMES, max_size=4))
def test_a_shown_path_is_a_path(names: list[bytes]) -> None:
    assert len(parse_path(show_path(names).encode())) == len(names)


def test_a_name_means_its_bytes_before_anything_that_looks_like_it() -> None:
    assert list(readings(b"plain")) == [b"plain"]
    assert list(readings(b"caf\\xe9")) == [b"caf\\xe9", b"caf\xe9"]
    assert next(readings(b"\\xc3\\xa9")) == b"\\xc3\\xa9"
    assert b"\xc3\xa9" not in readings(b"\\xc3\\xa9")


def test_a_name_of_many_strange_bytes_is_found_without_trying_all_combinations() -> None:
    assert list(readings(b"\\xff" * 60)) == [b"\\xff" * 60, b"\xff" * 60]


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
