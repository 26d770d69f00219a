"""Environments and data classes of an organization."""

from typing import Annotated, NamedTuple

from contracts.messages.classification import LabelKind
from fastapi import APIRouter, Path, Query, Response

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.classification.schemas import (
    ClassificationView,
    LabelBody,
    LabelChange,
    LabelView,
    classification_view,
    label_view,
)
from gateway.areas.classification.service import Classification
from gateway.audit_log.log import AuditLog
from gateway.http.answers import PageView, page
from gateway.http.body_fields import LONGEST_AUDITED_TEXT
from gateway.http.dependencies import Audit, Paged, Paging, RequestIntent, WhoInOrganization, provided
from gateway.http.openapi import problems, writes
from gateway.idempotency.intents import Intent

router = APIRouter(prefix="/api/v1/account/organizations/{org}", tags=["organizations"])
Service = Annotated[Classification, provided(Classification)]
Name = Annotated[str, Path(description="The label, percent-encoded; it may hold slashes")]
Part = Annotated[str, Query(max_length=1000, description="A part of the name, whatever the case")]
Force = Annotated[bool, Query(description="Although it is used; what carries it keeps it")]


class Words(NamedTuple):
    """How the labels of a kind are called."""

    path: str
    one: str
    a: str
    many: str
    audited: str


@router.get("/classification", summary="Read all environments and data classes", responses=problems(404))
async def read_classification(labels: Service, who: WhoInOrganization) -> ClassificationView:
    """What a page of settings shows. Labels that are used and not listed come last, by name."""
    if not who.may(Right.READ):
        return classification_view((), ())
    return classification_view(*await labels.all(who))


def _add_routes(kind: LabelKind, words: Words) -> None:
    """The routes of a kind of labels: both have the same."""
    at = f"/{words.path}"

    async def listed(labels: Classification, who: WhoInOrganization, paged: Paging, part: str) -> PageView[LabelView]:
        if not who.may(Right.READ):
            return page(0, [])
        found = await labels.list(who, kind, part=part)
        rows = found[paged.offset : paged.offset + paged.limit]
        return page(len(found), [label_view(label) for label in rows])

    @router.get(at, name=f"list_{words.path}", summary=f"List {words.many}", responses=problems(404))
    async def list_labels(labels: Service, who: WhoInOrganization, paged: Paged) -> PageView[LabelView]:
        """First those that the organization offers, then by name what is used and not listed."""
        return await listed(labels, who, paged, "")

    # Before the routes of one label, as all that has an address of its own.
    @router.get(
        f"{at}/search", name=f"search_{words.path}", summary=f"Search {words.many} by name", responses=problems(404)
    )
    async def search_labels(
        labels: Service, who: WhoInOrganization, paged: Paged, name: Part = ""
    ) -> PageView[LabelView]:
        """Those whose name has this part."""
        return await listed(labels, who, paged, name)

    @router.post(at, name=f"add_{words.one}", summary=f"Add {words.a}", responses=writes(404, 409))
    async def add_label(
        body: LabelBody, audit: Audit, labels: Service, who: WhoInOrganization, intent: RequestIntent
    ) -> LabelView:
        """Upper and lower case count; a name that differs from another in that alone is refused (`label_exists`)."""
        who.require(Right.WRITE)
        async with audit.change(who, f"{words.audited}.create", words.audited, _audited(body.name), **body.summary()):
            return label_view(await labels.add(who, kind, body.name, intent))

    async def renamed(
        name: str, body: LabelChange, audit: AuditLog, labels: Classification, who: Principal, intent: Intent
    ) -> LabelView:
        who.require(Right.WRITE)
        async with audit.change(who, f"{words.audited}.rename", words.audited, _audited(name), **body.summary()):
            return label_view(await labels.rename(who, kind, name, body.name, merge=body.merge, intent=intent))

    async def removed(
        name: str, audit: AuditLog, labels: Classification, who: Principal, intent: Intent, *, force: bool
    ) -> Response:
        who.require(Right.WRITE)
        async with audit.change(who, f"{words.audited}.remove", words.audited, _audited(name), force=force):
            await labels.remove(who, kind, name, force=force, intent=intent)
        return Response(status_code=204)

    # The address of the search is that of the label of this name too: they have no method in common.
    @router.patch(
        f"{at}/search",
        name=f"rename_{words.one}_search",
        summary=f"Rename {words.a} that is called search",
        responses=writes(404, 409),
    )
    async def rename_search(
        body: LabelChange, audit: Audit, labels: Service, who: WhoInOrganization, intent: RequestIntent
    ) -> LabelView:
        """As any other one."""
        return await renamed("search", body, audit, labels, who, intent)

    @router.delete(
        f"{at}/search",
        name=f"remove_{words.one}_search",
        summary=f"Remove {words.a} that is called search",
        status_code=204,
        responses=writes(404, 409),
    )
    async def remove_search(
        audit: Audit, labels: Service, who: WhoInOrganization, intent: RequestIntent, force: Force = False
    ) -> Response:
        """As any other one."""
        return await removed("search", audit, labels, who, intent, force=force)

    @router.patch(
        f"{at}/{{name:path}}", name=f"rename_{words.one}", summary=f"Rename {words.a}", responses=writes(404, 409)
    )
    async def rename_label(
        name: Name, body: LabelChange, audit: Audit, labels: Service, who: WhoInOrganization, intent: RequestIntent
    ) -> LabelView:
        """Connectors that carry it follow by and by: for a moment both names are in use.

        One that is used and not listed is listed under its new name. Tags of resources are not changed.
        """
        return await renamed(name, body, audit, labels, who, intent)

    @router.delete(
        f"{at}/{{name:path}}",
        name=f"remove_{words.one}",
        summary=f"Remove {words.a}",
        status_code=204,
        responses=writes(404, 409),
    )
    async def remove_label(
        name: Name, audit: Audit, labels: Service, who: WhoInOrganization, intent: RequestIntent, force: Force = False
    ) -> Response:
        """Refused (`label_in_use`) while connectors or bundles carry it, unless forced: they keep it, not listed."""
        return await removed(name, audit, labels, who, intent, force=force)


def _audited(name: str) -> str:
    return name[:LONGEST_AUDITED_TEXT]


_add_routes("environment", Words("environments", "environment", "an environment", "environments", "environment"))
_add_routes("data_class", Words("data_classes", "data_class", "a data class", "data classes", "data-class"))
