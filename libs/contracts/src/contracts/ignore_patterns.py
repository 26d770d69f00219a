"""Patterns of files that a backup leaves out. Pure, so that decisions may use it too."""

import re

# As restic reads them: Go's `path.Match` for each name of a path (https://pkg.go.dev/path#Match), and `**`.
_CHARACTER = r"([^\]\-\\]|\\.)"
_NAME = re.compile(rf"([^\\\[]|\\.|\[\^?+({_CHARACTER}(-{_CHARACTER})?)+\])*", re.DOTALL)
_SAYS_NOTHING = "/! "


def names_files(pattern: str) -> bool:
    """Whether a pattern is more than slashes, spaces and the `!` that takes files in again."""
    return bool(pattern.strip(_SAYS_NOTHING))


def pattern_fault(pattern: str) -> str | None:
    """Why a backup cannot leave out files by a pattern, in words that do not quote it; None when it can."""
    if not names_files(pattern):
        return "names no file"
    names = pattern.removeprefix("!").split("/")
    if ".." in names:
        return "has `..` in it, and then means nothing in the source"
    if not all(map(_NAME.fullmatch, names)):
        return "is no pattern: a `[` without its `]`, an empty or backward part between them, or a `\\` at its end"
    return None
