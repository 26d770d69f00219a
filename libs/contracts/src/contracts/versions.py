"""How versions of integrations are ordered, and which of them are for trying out."""

import re

VersionKey = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]
_NUMBERS = re.compile(r"\D*(\d+(?:\.\d+)*)?(.*)", re.DOTALL)


def version_key(version: str) -> VersionKey:
    """Sorts versions of any scheme by age: `1.9`, then `1.10-beta.2`, then `1.10`, then `v2`; `1` equals `1.0`."""
    numbers, rest = _parts(version)
    while numbers and not numbers[-1]:
        numbers = numbers[:-1]
    # As Semantic Versioning has it: of equal numbers the release is last, numbers count as such and before words.
    words = tuple((not word.isdigit(), int(word) if word.isdigit() else 0, word) for word in _words(rest))
    return numbers, not words, words


def is_prerelease(version: str) -> bool:
    """Whether a version comes before the release of its number, as `1.1.0-beta.4` does."""
    return bool(_words(_parts(version)[1]))


def _parts(version: str) -> tuple[tuple[int, ...], str]:
    found = _NUMBERS.fullmatch(version)
    if found is None or found[1] is None:
        return (), version
    # What follows a plus names a build and says nothing about age.
    return tuple(map(int, found[1].split("."))), found[2].partition("+")[0]


def _words(rest: str) -> list[str]:
    return re.findall(r"[0-9]+|[A-Za-z]+", rest)
