"""Which texts can be kept and shown. Pure, so that decisions may use it too."""

import unicodedata

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
    if any(unicodedata.category(c) in _UNPRINTABLE for c in text):
        return "contains control characters"
    return None
