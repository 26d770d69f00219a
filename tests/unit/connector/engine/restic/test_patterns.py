from pathlib import Path

import pytest
from connector.engine.restic.patterns import exclusions
from integrations.sdk.locations import SourceTree, StoreLocation

ROOT = Path("/srv/da*ta")


@pytest.mark.parametrize(
    ("ignored", "pattern"),
    [
        ("*.log", "*.log"),
        ("cache/", "cache"),
        ("/cache", "/srv/da\\*ta/cache"),
        ("/a/**/b", "/srv/da\\*ta/a/**/b"),
        ("!/keep", "!/srv/da\\*ta/keep"),
        ("!keep", "!keep"),
        ("/srv/da*ta/below", "/srv/da*ta/below"),
        ("$HOME", "$HOME"),
        ("#not a remark", "#not a remark"),
    ],
)
def test_patterns_begin_at_the_root_of_the_source(ignored: str, pattern: str) -> None:
    assert exclusions(SourceTree(directory=ROOT), StoreLocation(address="s3:x"), [ignored]) == [pattern]


@pytest.mark.parametrize("ignored", ["", " ", "/", "!", "!/"])
def test_patterns_that_say_nothing_are_left_out(ignored: str) -> None:
    assert exclusions(SourceTree(directory=ROOT), StoreLocation(address="s3:x"), [ignored]) == []


def test_own_exclusions_come_last(tmp_path: Path) -> None:
    state, store = tmp_path / "state", tmp_path / "sto[re]"

    found = exclusions(
        SourceTree(directory=tmp_path, excludes=(state,)),
        StoreLocation(address=str(store), local_path=store),
        ["!/state"],
    )

    assert found == [f"!{tmp_path}/state", str(state), f"{tmp_path}/sto\\[re]"]
