"""Numbers, articles and durations in the texts that users read."""

from collections.abc import Sequence


def listed(words: Sequence[str]) -> str:
    """Words one after the other: `GET`, `GET and PUT`, `GET, PUT and DELETE`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def counted(count: int, noun: str, plural: str = "") -> str:
    """So many of something: `1 file`, `2 files`; `plural`: where it is not the noun with an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def is_or_are(count: int) -> str:
    """The verb after so many of something."""
    return "is" if count == 1 else "are"


def with_article(noun: str) -> str:
    """`a backup`, `an rm`: the name of a task type or of what else begins a word."""
    # `rm` is spelt out when it is read.
    return f"an {noun}" if noun[:1] in "aeiou" or noun == "rm" else f"a {noun}"


def seconds(number: float) -> str:
    """A number of seconds without an exponent, and without a fraction where it has none: `10000000000 s`, `1.5 s`."""
    return f"{int(number)} s" if number == int(number) else f"{number} s"
