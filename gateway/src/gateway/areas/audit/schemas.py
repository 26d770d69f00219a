"""The audit log, and links."""

from typing import Any

from pydantic import Field

from gateway.audit_log.entries import AuditRow, Outcome, Via
from gateway.http.answers import Stamp, View
from gateway.http.examples import example

_ENTRY: dict[str, Any] = {
    "id": "0198b1c2-0000-7000-8000-0000000000e1",
    "at": "2026-11-23T08:00:00.120Z",
    "ended_at": "2026-11-23T08:00:00.480Z",
    "organization_id": "0198b1c2-0000-7000-8000-000000000001",
    "account_id": "0198b1c2-0000-7000-8000-000000000002",
    "via": "badge",
    "action": "archive.download",
    "subject": {"kind": "snapshot", "id": "5f" * 32},
    "outcome": "completed",
    "code": None,
    "details": {
        "paths": ["/documents"],
        "paths_total": 1,
        "format": "zip",
        "store_id": "0198b1c2-0000-7000-8000-00000000000c",
        "bytes": 13000,
    },
}


class AuditSubjectView(View):
    """What something was done to."""

    kind: str
    id: str


class AuditEntryView(View):
    """Who did what, when, and what became of it."""

    model_config = example(**_ENTRY)

    id: str
    at: Stamp
    ended_at: Stamp | None
    organization_id: str
    account_id: str = Field(description="Empty: a login as nobody who is known, or `via` `command`")
    via: Via = Field(
        description="`link`: by a link that the account made; `command`: by who runs Cairn, on its machine; "
        "of a login: `password`, `api-key`, `badge`"
    )
    action: str = Field(
        description="`account.login`, `account.exchange-badge`; `secret.read`, `secret.reseal`; `connector.create`, "
        "`.change` and `.remove`, the same of `inventory` and `resource`; `environment.create`, "
        "`.rename` and `.remove`, the same of `data-class`; `store.create`, `store.replace` and `store.believe` "
        "(forced), `store.unlock`; `snapshot.prune` (by a rule), `snapshot.delete` (one run that deletes), "
        "`legal-hold.set`, `legal-hold.lift`, `retention.change`; `file.download`, `archive.download`, `link.create`; "
        "others will follow"
    )
    subject: AuditSubjectView
    outcome: Outcome = Field(
        description="`started` for ever when the process that served it died; `continued`: as the operation in "
        "`details.operation_id`; `unknown`: it may still be carried out, as no outcome of its command came "
        "(`details.command_id`); `completed` with a `code`: it was done, and the client got that problem "
        "(`details.in_part`: only a part of it was)"
    )
    code: str | None = Field(description="The code of the problem that the client got")
    details: dict[str, Any] = Field(
        description="Of downloads: `paths` (the first 20), `paths_total`, `format`, `range`, `store_id`, `bytes` sent. "
        "Of logins: `address`; of refused ones, which are counted together where they are many, also `count`, "
        "`first_at` and `latest_at`. Of deletions: `rule`, `snapshot_ids`, `config` of a run, or `retry_of`, a job. Of "
        "holds: `store_id`, `reason`, `until`. Of `retention.change`: `min_versions`. Of `secret.read`: the "
        "`connectors`, `bundles` or `inventories` whose secrets were read; of older entries also `window_seconds`, for "
        "which one entry stood"
    )


class AuditPageView(View):
    """A page of the audit log."""

    model_config = example(items=[_ENTRY], next_cursor=None)

    items: list[AuditEntryView]
    next_cursor: str | None


def row_view(row: AuditRow) -> AuditEntryView:
    """A row."""
    entry, ending = row.entry, row.ending
    return AuditEntryView(
        id=row.id,
        at=row.at,
        ended_at=row.ended_at,
        organization_id=entry.organization_id,
        account_id=entry.actor.account_id,
        via=entry.actor.via,
        action=entry.action,
        subject=AuditSubjectView(kind=entry.subject.kind, id=entry.subject.id),
        outcome=ending.outcome,
        code=ending.code,
        # Those of the ending win: it names the store that gave the bytes, the entry the one that was likeliest to.
        details={**entry.details, **ending.details},
    )
