"""Which patterns a backup can leave files out by, as restic reads them."""

import pytest
from contracts.ignore_patterns import pattern_fault


@pytest.mark.parametrize(
    "pattern",
    [
        "*.o", "/cache/", "!keep", "**/tmp", "a?c", "[a-z]x", "[^a-z]", "[b-c]^", "?]", "\\[z\\]", "[\\]]", "[[]",
        "é/", "[\\--a]", " space ", "$HOME", "#remark", "..hidden", "./here",
    ],
)  # fmt: skip
def test_patterns_that_mean_something(pattern: str) -> None:
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "names no file"),
        (" ", "names no file"),
        ("!/", "names no file"),
        ("../beside", "`..`"),
        ("!/a/../b", "`..`"),
        ("[broken", "no pattern"),
        ("[]", "no pattern"),
        ("[^]", "no pattern"),
        ("[]a]", "no pattern"),
        ("[a-]", "no pattern"),
        ("[a/b]", "no pattern"),
        ("a\\", "no pattern"),
        ("[a\\", "no pattern"),
    ],
)
def test_patterns_that_no_backup_can_use(pattern: str, words: str) -> None:
    fault = pattern_fault(pattern)
    assert fault is not None
    assert words in fault
