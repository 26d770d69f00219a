import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from integrations.object_storage.key_paths import NAME_BYTES_MAX, can_be_mounted, key_of, path_of

SIGNS = "/.‛．／␀␡␁\0\x7f\n_fc0aéﬁ"
keys = st.text(st.sampled_from(SIGNS) | st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("docs/a b/é.txt", "docs/a b/é.txt"),
        ("x//y.txt", "x/‛_/y.txt"),
        ("a/../b", "a/．．/b"),
        ("./c", "．/c"),
        ("end/", "end/‛_"),
        ("", "‛_"),
        ("tab\there", "tab␉here"),
        ("‛", "‛‛"),
        ("‛_", "‛‛_"),
        ("．", "‛．"),
        ("．．", "‛．‛．"),
    ],
)
def test_a_key_has_a_path_from_which_it_can_be_told(key: str, path: str) -> None:
    assert path_of(key) == path
    assert key_of(path) == key


@given(keys, st.booleans())
@example("a" * 256, True)
@example("‛" * 300, False)
@example("‛f", True)
def test_any_key_can_be_told_from_its_path(key: str, beside_folder: bool) -> None:
    path = path_of(key, beside_folder=beside_folder)

    assert key_of(path) == key
    parts = path.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert "\0" not in path
    assert max(len(part.encode()) for part in parts) <= NAME_BYTES_MAX


@given(keys, keys, st.booleans(), st.booleans())
def test_no_two_objects_share_a_path(one: str, other: str, first: bool, second: bool) -> None:
    if (one, first) != (other, second):
        assert path_of(one, beside_folder=first) != path_of(other, beside_folder=second)


def test_a_mount_shows_what_rclone_has_names_for() -> None:
    assert all(can_be_mounted(path_of(key)) for key in ("a/../b", "‛_", "tab\there", "‛f"))
    assert not any(can_be_mounted(path_of(key)) for key in ("x//y", "/a", "end/", "x" * 256))
    assert not can_be_mounted(path_of("a", beside_folder=True))
