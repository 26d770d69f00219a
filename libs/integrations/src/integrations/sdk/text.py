"""Texts as people can read them."""


def one_line(text: str) -> str:
    """A text on one line, whatever characters it is made of: those that do not print as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
