"""Texts as people can read them."""

import os

from contracts.paths import shown


def shown_path(path: str) -> str:
    r"""A path of this machine, or a part of one: bytes that are not UTF-8 become `\xff`."""
    return shown(os.fsencode(path))


def one_line(text: str) -> str:
    """A text on one line, whatever characters it is made of: those that do not print as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
