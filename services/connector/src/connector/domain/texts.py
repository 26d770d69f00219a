"""Texts as databases can keep them."""


def keepable(text: str) -> str:
    """A text as every database can keep it: escapes stand for NUL and for halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
