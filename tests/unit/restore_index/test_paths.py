"""Paths and names, odd ones too."""

from contracts.paths import shown, split_path
from hypothesis import given
from hypothesis import strategies as st
from restore_index.domain.paths import possible_names, show_path

NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..")
)


@given(NAMES)
def test_what_is_shown_of_a_name_leads_back_to_it(name: bytes) -> None:
    wanted = shown(name).encode()
    if wanted.count(b"\\x") <= 8:
        assert name in possible_names(wanted)


@given(st.lists(NAMES, max_size=4))
def test_a_shown_path_is_a_path(names: list[bytes]) -> None:
    assert len(split_path(show_path(names).encode())) == len(names)


def test_a_name_means_its_bytes_before_anything_that_looks_like_it() -> None:
    assert list(possible_names(b"plain")) == [b"plain"]
    assert list(possible_names(b"caf\\xe9")) == [b"caf\\xe9", b"caf\xe9"]
    assert next(possible_names(b"\\xc3\\xa9")) == b"\\xc3\\xa9"
    assert b"\xc3\xa9" not in possible_names(b"\\xc3\\xa9")


def test_a_name_of_many_strange_bytes_is_found_without_trying_all_combinations() -> None:
    assert list(possible_names(b"\\xff" * 60)) == [b"\\xff" * 60, b"\xff" * 60]
