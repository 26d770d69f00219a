"""Versions of integrations are ordered by age, whatever their scheme."""

import random

import pytest
from contracts.versions import is_prerelease, version_key

IN_ORDER = [
    "",
    "v0.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0",
    "1.9",
    "1.10rc1",
    "1.10",
]


def test_older_versions_come_first() -> None:
    shuffled = random.sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled, key=version_key) == IN_ORDER


@pytest.mark.parametrize(("one", "other"), [("1", "1.0.0"), ("1.2.0+build.7", "1.2"), ("v2", "2.0")])
def test_some_are_the_same(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@pytest.mark.parametrize(
    ("version", "trying_out"), [("1.1.0-beta.1", True), ("1.1.0", False), ("1.0rc1", True), ("1+b", False)]
)
def test_versions_before_a_release_are_for_trying_out(version: str, trying_out: bool) -> None:
    assert is_prerelease(version) is trying_out
