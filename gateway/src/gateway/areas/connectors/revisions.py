"""In which revision a connector or a bundle must be for a change: `ETag` and `If-Match`."""

import re
from dataclasses import dataclass
from typing import Annotated

from contracts.errors import Invalid, PreconditionFailed
from contracts.messages.assignment import App
from contracts.messages.bundles import Bundle
from fastapi import Header

_SPACE, _OPAQUE = "[ \\t]*", r"[\x21\x23-\x7e\x80-\xff]*"
_ONE = f'{_SPACE}(?:W/)?"{_OPAQUE}"{_SPACE}'
PATTERN = rf"^(?:{_SPACE}\*{_SPACE}|{_ONE}(?:,{_ONE})*)$"
"""What the header may be, in the words of JSON Schema too (0030)."""
_VALID = re.compile(PATTERN)
_TAG = re.compile(f'(W/)?"({_OPAQUE})"')
_REVISION = re.compile(r"[1-9]\d{0,8}")
_WORDS = (
    "`ETag` that it must have, as it was read: else 412 `revision_changed`, and nothing is changed. "
    "Several by commas: one of them; `*`: whichever"
)


@dataclass(frozen=True)
class ExpectedRevision:
    """What `If-Match` says. Without the header, and for `*`, any revision will do."""

    revisions: frozenset[int] | None = None

    def of(self, app: App | Bundle) -> int | None:
        """The revision that a command for it carries; None: any. Raises `PreconditionFailed` where none can be.

        Whether it is in that revision is decided by who handles the commands, in their order: of two changes at the
        same time one is refused.
        """
        if self.revisions is None:
            return None
        if not self.revisions:
            raise PreconditionFailed("revision_changed", f"No revision of {app.name} has the ETag that If-Match names.")
        return app.revision if app.revision in self.revisions else max(self.revisions)


ANY_REVISION = ExpectedRevision()


def tag_of(app: App | Bundle) -> str:
    """The `ETag` of a connector or a bundle: its revision, which grows with each change of what is said about it."""
    return f'"{app.revision}"'


async def expected_revision(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description=_WORDS, json_schema_extra={"pattern": PATTERN})
    ] = None,
) -> ExpectedRevision:
    """What a request expects. Raises `Invalid` (`if_match_invalid`) for what is no list of tags."""
    if if_match is None:
        return ANY_REVISION
    if not _VALID.fullmatch(if_match):
        detail = 'If-Match must be `*` or the ETag as it was read, e.g. `"3"`; several by commas.'
        raise Invalid("if_match_invalid", detail)
    tags = _TAG.findall(if_match)
    # A weak tag never matches (RFC 9110, 13.1.1), nor does one that is no revision.
    revisions = frozenset(int(tag) for weak, tag in tags if not weak and _REVISION.fullmatch(tag))
    return ExpectedRevision(revisions) if tags else ANY_REVISION
