"""Which texts can be kept and shown. Pure, so that decisions may use it too."""

import unicodedata

_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
# One by one what `str.strip` takes away, and controls: what `\s` stands for differs between readers of JSON Schema.
_VISIBLE = r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
PRINTABLE = f"^{_PRINTABLE}*$"
"""What `fault_of` lets pass, as a regular expression of JSON Schema; `NOT_BLANK`: with `empty=False`."""
NOT_BLANK = f"^{_PRINTABLE}*{_VISIBLE}{_PRINTABLE}*$"
STORABLE = r"^[^\x00]*$"
"""What `is_storable` lets pass of what JSON can say."""
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_storable(text: str) -> bool:
    """Whether a database can keep or compare a text: no NUL (PostgreSQL has none) and no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def fault_of(text: str, *, longest: int, empty: bool = True) -> str | None:
    """Why a label cannot be used, in words that do not quote it; None when it can. `empty`: it may be blank."""
    if not empty and not text.strip():
        return "must not be empty"
    if len(text) > longest:
        return f"is longer than {longest} characters"
    # Most are plain, and to look at each character by itself takes much longer.
    if text.isascii() and text.isprintable():
        return None
    if any(unicodedata.category(c) in _UNPRINTABLE for c in text):
        return "contains control characters"
    return None
