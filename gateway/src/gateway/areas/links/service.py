"""Links that stand for one download, for somebody without a badge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from chassis.http.tokens import Caller
from chassis.ids import utc_now
from chassis.telemetry.tracing import span
from contracts.errors import NotFound, Unauthorized
from contracts.paths import shown
from pydantic import JsonValue

from gateway.access.principal import Principal
from gateway.access.principals import Principals
from gateway.access.rights import Right
from gateway.areas.links.tokens import LONGEST_URL, Format, Link, invalid, read, sign, too_long
from gateway.audit_log.entries import CREATE_LINK, Actor, AuditEntry, Subject, selection_details
from gateway.audit_log.log import AuditLog
from gateway.clients.connector import quoted_paths


@dataclass(frozen=True)
class MadeLink:
    """A link as it is given away."""

    url: str
    expires_at: datetime


class Selections(Protocol):
    """What links ask of downloads."""

    async def is_one_file(self, who: Principal, snapshot_id: str, paths: Sequence[bytes]) -> bool:
        """Whether a selection is one file and nothing else. Raises what its archive would be refused with."""


@dataclass(frozen=True)
class Links:
    """Makes links and reads them. `url` is where clients find the gateway."""

    downloads: Selections
    principals: Principals
    audit: AuditLog
    key: bytes
    url: str

    async def make(
        self, who: Principal, snapshot_id: str, paths: Sequence[bytes], *, form: Format | None, seconds: int
    ) -> MadeLink:
        """A link to a file, when the selection is one and no format is given, else to an archive (zip unless given).

        Raises what the download would be refused with, or `link_too_long`. That it was made stands in the audit log.
        """
        with span("gateway.make_link"):
            one_file = await self.downloads.is_one_file(who, snapshot_id, paths)
            kept = None if one_file and form is None else form or "zip"
            # Whole seconds, as in the link: the answer must not promise more than that.
            expires_at = utc_now().replace(microsecond=0) + timedelta(seconds=seconds)
            link = Link(
                organization_id=who.organization_id,
                account_id=who.account_id,
                key_id=who.key_id,
                snapshot_id=snapshot_id,
                paths=quoted_paths(paths),
                format=kept,
                expires_at=int(expires_at.timestamp()),
            )
            area = "archive" if kept else "content"
            url = f"{self.url}/api/v1/snapshots/{quote(snapshot_id, safe='')}/{area}?link={sign(link, self.key)}"
            if len(url) > LONGEST_URL:
                raise too_long()
            selected = selection_details([shown(p) for p in paths], format=kept, expires_at=expires_at.isoformat())
            # First: a link that was given away cannot be taken back.
            await self.audit.record(_audit_entry(who, snapshot_id, selected))
            return MadeLink(url, expires_at)

    async def follow(self, token: str, snapshot_id: str) -> tuple[Principal, Link]:
        """What a link permits, and who signed it, if that account may still read.

        Raises `Unauthorized` (`link_invalid`, `link_expired`), or `Forbidden` when the account's rights are gone.
        """
        link = read(token, self.key, datetime.now(UTC))
        if link.snapshot_id != snapshot_id:
            raise invalid()
        try:
            org = await self.principals.admit(link.account_id, link.organization_id)
            who = await self.principals.recognize(
                Caller(organization_id=org, account_id=link.account_id, key_id=link.key_id)
            )
        # One refusal for all: whoever has a link need not learn what became of its maker.
        except (NotFound, Unauthorized):
            raise invalid() from None
        # The rights that the maker has now, not those at the time when the link was made (0017).
        who.require(Right.READ)
        return who, link


def paths_of(link: Link) -> list[bytes]:
    """The paths of a link as bytes."""
    return [unquote_to_bytes(path) for path in link.paths]


def _audit_entry(who: Principal, snapshot_id: str, details: dict[str, JsonValue]) -> AuditEntry:
    return AuditEntry(
        organization_id=who.organization_id,
        actor=Actor(account_id=who.account_id, via="badge"),
        action=CREATE_LINK,
        subject=Subject(kind="snapshot", id=snapshot_id),
        details=details,
    )
