"""Failures whose text is shown to the user of `cairn`."""


class LocalError(Exception):
    """Something the person at the terminal has to know; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.args[0]}\n  {self.hint}" if self.hint else str(self.args[0])
