"""Reads the JSON lines that rclone writes to standard error."""

import msgspec

from integrations.sdk.redaction import Redactor


class _Line(msgspec.Struct):
    level: str = ""
    msg: str = ""


class RcloneLog:
    """The last words of a run, which tell why it ended."""

    def __init__(self, scrub: Redactor) -> None:
        self._scrub = scrub
        self.words = ""

    def take(self, raw: bytes) -> None:
        """One line."""
        text = self._scrub(raw.decode("utf-8", "backslashreplace"))
        try:
            line = msgspec.json.decode(text, type=_Line)
        except msgspec.MsgspecError:
            self.words = text.strip() or self.words
            return
        # The other levels tell of progress, these why a run ended.
        if line.level in ("error", "critical", "notice"):
            self.words = line.msg
