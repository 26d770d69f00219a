"""What a search asks for: patterns, texts, sizes and times, and what cannot be asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from contracts.errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from restore_index.domain.case_folding import fold
from restore_index.domain.search.conditions import read_conditions
from restore_index.domain.search.globs import name_glob, path_glob
from restore_index.domain.search.matcher import Matcher

from tests.unit.restore_index.naive_search import glob_matches, path_matches


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("*.txt", ["a.txt", ".txt", "a.b.txt", "a\nb.txt"], ["a.txt2", "atxt", "a.tx"]),
        ("re?d*", ["read", "reed.me", "re\nd"], ["red", "bread", "re"]),
        ("a*b*c", ["abc", "a-b-c", "abcbc"], ["ab", "cab", "acb"]),
        ("[abc]x", ["ax", "cx"], ["dx", "x", "abx"]),
        ("[!abc]x", ["dx", "]x"], ["ax", "x"]),
        ("[^abc]x", ["dx"], ["ax"]),
        ("[a-c]", ["a", "b", "c"], ["d", "-"]),
        ("[c-a]", [], ["a", "b", "c", "-"]),
        ("[!c-a]", ["a", "b"], ["", "ab"]),
        ("[]x]", ["]", "x"], ["[]x]"]),
        ("[]", ["[]"], ["[", "]"]),
        ("[!]", ["!"], ["[!]", "a"]),
        ("[a", ["[a"], ["a"]),
        ("[*]", ["*"], ["a", ""]),
        ("a[?*]b", ["a?b", "a*b"], ["axb", "ab"]),
        ("[-a]", ["-", "a"], ["b"]),
        ("[\\d]", ["\\", "d"], ["1"]),
        ("**", ["", "a", "ab"], []),
        ("a.c", ["a.c"], ["abc"]),
        ("(a|b)+$", ["(a|b)+$"], ["a", "ab"]),
        ("\\xff*", ["\\xff", "\\xffa"], ["xff"]),
        ("?", ["é", "日"], ["", "ab"]),
        ("[é-ü]x", ["êx"], ["ex"]),
    ],
)
def test_patterns_of_names(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    glob = name_glob(pattern)
    for name in [*meant, *not_meant]:
        assert glob.matches(name) == (name in meant), name
        assert glob_matches(pattern, name) == (name in meant), name
    assert all(literal in f"\0{name}\0".encode() for literal in glob.literals for name in meant)


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("a/b", ["a/b"], ["b", "a", "x/a/b", "a/b/c", "a/x/b"]),
        ("/a", ["a"], ["x/a", "a/b"]),
        ("**/b", ["b", "a/b", "x/y/b"], ["a", "b/a"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a", "b", "x/a/b", "a/b/c"]),
        ("*/*.txt", ["a/b.txt"], ["b.txt", "a/b/c.txt"]),
        ("**/**/a/", ["a", "x/a"], ["a/x"]),
        ("**/a**c", ["abc", "x/ac"], ["a/c"]),
        ("**/*/**", ["a/b", "a/b/c"], ["a"]),
        ("/**", ["a", "a/b"], []),
    ],
)
def test_patterns_of_paths(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    glob = path_glob(pattern)
    for path in [*meant, *not_meant]:
        places = glob.start()
        for part in path.split("/"):
            places = glob.step(places, part)
        assert glob.accepts(places) == (path in meant), path
        assert path_matches(pattern, path.split("/")) == (path in meant), path


signs = st.text(st.sampled_from("ab*?[]!-^."), max_size=8)
names = st.text(st.sampled_from("ab-]!["), max_size=6)


@given(signs, names)
def test_patterns_mean_what_a_slow_reading_of_them_says(pattern: str, name: str) -> None:
    glob = name_glob(pattern)
    assert glob.matches(name) == glob_matches(pattern, name)
    assert not glob.matches(name) or all(literal in f"\0{name}\0".encode() for literal in glob.literals)


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "a*"]), min_size=1, max_size=5),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=5),
)
def test_patterns_of_paths_mean_what_a_slow_reading_says(parts: list[str], path: list[str]) -> None:
    glob = path_glob("/" + "/".join(parts))
    places = glob.start()
    for part in path:
        places = glob.step(places, part)
    assert glob.accepts(places) == path_matches("/".join(parts), path)


@pytest.mark.parametrize(
    "pattern", ["*a" * 1900 + "*b", "*?" * 100 + "b", "[ab]*" * 120 + "c", "*" * 3999 + "b", "[" * 4000, "?" * 4000]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """These take minutes, or for ever, where stars are tried one against the other."""
    glob = name_glob(pattern)
    for _ in range(100):
        assert not glob.matches("a" * 255)


@pytest.mark.parametrize(
    ("asked", "meant", "not_meant"),
    [
        ({"q": b"READ"}, [b"readme", b"Bread"], [b"rea", b"r/ead"]),
        ({"q": "É".encode()}, ["café".encode(), "CAFE\u0301".encode()], [b"cafe"]),
        ({"q": b"\xff"}, [b"a\xff", b"a\\xFF"], ["ÿ".encode()]),
        ({"q": b"\\xff"}, [b"a\xff"], [b"ff"]),
        ({"q": b"'\";$*{}"}, [b"'\";$*{}"], [b"'\";$"]),
        ({"ext": [b"txt"]}, [b"a.txt", b"A.TXT"], [b"txt", b"a.txt2"]),
        ({"ext": [b".tar.gz"]}, [b"a.tar.gz"], [b"a.gz"]),
        ({"ext": [b"jpg,.PNG", b"gif"]}, [b"a.jpg", b"b.png", b"c.gif"], [b"a.jpeg", b"jpg"]),
        ({"glob": b"*.TXT", "q": b"a"}, [b"ab.txt"], [b"b.txt", b"a.txt2"]),
        ({"glob": b"**/x*y"}, [b"xy"], [b"x"]),
        ({"glob": b"?\xff"}, [b"a\xff"], [b"\xff"]),
        ({"glob": b"a\xff"}, [b"a\xff"], [b"a"]),
    ],
)  # fmt: skip
def test_conditions_on_names(asked: dict[str, Any], meant: list[bytes], not_meant: list[bytes]) -> None:
    matcher = Matcher(read_conditions(**asked))
    for name in [*meant, *not_meant]:
        folded = fold(name)
        assert matcher.matching_places([folded], None, 0) == ([0] if name in meant else []), name
        assert name not in meant or matcher.literal in b"\0" + folded + b"\0"


def test_times_are_in_milliseconds_and_utc() -> None:
    conditions = read_conditions(
        modified_after=datetime.fromisoformat("1970-01-01T00:00:01.000999"),
        modified_before=datetime(1970, 1, 2, tzinfo=UTC),
    )
    assert (conditions.mtime_first, conditions.mtime_before) == (1000, 86_400_000)
    assert read_conditions(modified_after=datetime.min.replace(tzinfo=UTC)).mtime_first == -62_135_596_800_000


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "conditions_missing"),
        ({"ext": [], "types": []}, "conditions_missing"),
        ({"q": b""}, "request_invalid"),
        ({"q": b"a\0b"}, "request_invalid"),
        ({"q": b"a" * 10_000}, "request_invalid"),
        ({"glob": b"*" * 10_000}, "request_invalid"),
        ({"glob": b""}, "request_invalid"),
        ({"glob": b"/"}, "request_invalid"),
        ({"glob": b"a/" * 101}, "request_invalid"),
        ({"ext": [b""]}, "request_invalid"),
        ({"ext": [b"a,,b"]}, "request_invalid"),
        ({"ext": [b"."]}, "request_invalid"),
        ({"ext": [b"a"] * 51}, "request_invalid"),
        ({"types": ["door"]}, "request_invalid"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid, match=code):
        read_conditions(**asked)
