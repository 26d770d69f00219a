"""What can go wrong, in two words: permanent (stop, say why) and temporary (try again)."""

from collections.abc import Mapping


class CairnError(Exception):
    """Base of all errors that carry a stable code, words for a person, and never a secret."""

    kind = "failed"

    def __init__(self, code: str, detail: str, *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        # A copy: the caller's mapping may go on to change.
        self.fields = dict(fields or {})


class InternalError(CairnError):
    """An error without a class of its own. A client learns only that it happened."""

    kind = "internal"


class PermanentError(CairnError):
    """Trying again will not help. A command is rejected with it; an event becomes a dead letter."""


class Invalid(PermanentError):
    """The request cannot be right; `fields` names the fields at fault."""

    kind = "invalid"


class NotFound(PermanentError):
    """What the request names is not there (or belongs to somebody else)."""

    kind = "not_found"


class Conflict(PermanentError):
    """The request does not fit the present state."""

    kind = "conflict"


class PreconditionFailed(Conflict):
    """What the request is about is not what the sender saw when it decided: somebody changed it since."""

    kind = "precondition_failed"


class Unauthorized(PermanentError):
    """The caller did not prove who it is."""

    kind = "unauthorized"


class Forbidden(PermanentError):
    """The caller may not do that."""

    kind = "forbidden"


class TemporaryError(CairnError):
    """It may work later; `retry_after_seconds` is the least pause before the next try."""

    kind = "unavailable"

    def __init__(self, code: str, detail: str, *, retry_after_seconds: float = 0.05) -> None:
        super().__init__(code, detail)
        self.retry_after_seconds = retry_after_seconds


class Throttled(TemporaryError):
    """Too much was asked at once; after `retry_after_seconds` there should be room."""

    kind = "throttled"
