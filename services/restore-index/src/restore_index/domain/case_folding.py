"""When two texts count as the same in a search: whatever the case, and however their accents are written."""

import unicodedata

from contracts.paths import shown


def fold(name: bytes) -> bytes:
    r"""A name, or several with NUL between, as it is compared: UTF-8, with other bytes as they are shown (`\xff`).

    What is ASCII is put in lower case; to all else Unicode's full case folding applies, then composition.
    """
    return name.lower() if name.isascii() else fold_text(shown(name)).encode()


def fold_text(text: str) -> str:
    """A text as it is compared."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())
