"""Takes secrets out of texts that other programs wrote."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

# Taking out shorter secrets would garble every text, and tell where they were.
_LEAST_CHARACTERS = 4
_INSTEAD = "***"


class Redactor:
    """Replaces secrets, as they are and as URLs, JSON and Python would write them, by `***`.

    Secrets of fewer than four characters are left.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _LEAST_CHARACTERS for form in _forms(secret)}
        # The longest first, or a secret that contains another one would leave its rest behind.
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(_INSTEAD, text) if self._pattern else text


def _forms(secret: str) -> Iterable[str]:
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
