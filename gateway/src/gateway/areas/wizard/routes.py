"""The steps of making a connector, as reads; and what would come of one that nobody has saved."""

from typing import Annotated

from contracts.messages.assignment import AppKind
from fastapi import APIRouter, Query

from gateway.access.rights import Right
from gateway.areas.wizard.schemas.compatible import CompatibleView, compatible_view, nothing_compatible
from gateway.areas.wizard.schemas.dry_runs import DryRunBody, DryRunView, dry_run_view
from gateway.areas.wizard.schemas.forms import ConnectorFormView, form_view
from gateway.areas.wizard.service import Wizard
from gateway.http.dependencies import Who, WhoInOrganization, provided
from gateway.http.openapi import problems

router = APIRouter(prefix="/api/v1")
Service = Annotated[Wizard, provided(Wizard)]
Kind = Annotated[AppKind, Query(alias="type", description="Type of the connector")]
ResourceId = Annotated[str, Query(description="The resource; left out: of any resource")]
Longest = 255


@router.get(
    "/integrations",
    summary="List integrations that a connector can be made with",
    tags=["integrations"],
    responses=problems(404),
)
async def list_compatible(
    wizard: Service,
    who: Who,
    kind: Kind,
    urn_id: ResourceId = "",
    name: Annotated[str, Query(max_length=Longest, description="A part of the name or title")] = "",
) -> CompatibleView:
    """Complete. Each with the reason for which it matches; those that one might expect, and why they cannot be used.

    What is listed is accepted by a creation, and what is not is refused. `chosen` is what a connector gets that names
    no integration.
    """
    if not who.may(Right.READ):
        # Like any listing for an account without grants.
        return nothing_compatible()
    return compatible_view(await wizard.compatible(who, kind=kind, urn_id=urn_id, name=name))


@router.get(
    "/integrations/{integration}",
    summary="Read the form of an integration",
    tags=["integrations"],
    responses=problems(404),
)
async def read_form(
    integration: str,
    wizard: Service,
    who: Who,
    kind: Kind,
    urn_id: ResourceId = "",
    environment: Annotated[
        str,
        Query(max_length=Longest, description="Environment of the connector; left out: that of the resource's tags"),
    ] = "",
    protocol: Annotated[
        str, Query(max_length=Longest, description="Protocol to fill in; left out: the one that is chosen by itself")
    ] = "",
) -> ConnectorFormView:
    """What a person fills in: the protocols, the form of each as JSON Schema and field by field, and values that need
    not be typed, each with its origin. Values of secret fields are never shown. What a creation would refuse for
    the resource is refused here, with the same code.
    """
    who.require(Right.READ)
    form = await wizard.form(
        who, integration, kind=kind, urn_id=urn_id, environment=environment or None, protocol=protocol or None
    )
    return form_view(form)


@router.post(
    "/account/organizations/{org}/connectors/dry-run",
    summary="Try a connector without saving it",
    tags=["connectors"],
    responses=problems(404, 413, 422),
)
async def dry_run(
    body: DryRunBody,
    wizard: Service,
    who: WhoInOrganization,
    test: Annotated[bool, Query(description="Whether workers connect for real")] = True,
) -> DryRunView:
    """Takes the body of a creation; with `id` it is a change of that connector, whose secrets are taken where they
    are `masked`. Tells all faults at once, whether it would be complete, and what a test of its connection finds.
    A name or a resource that is not there is a fault like others.

    Nothing is kept, no event tells of it, and no storage is created. Faults are an answer, not an error.
    """
    # The right to write: a connection is made with what the caller says and, with `id`, with secrets that are kept.
    who.require(Right.WRITE)
    return dry_run_view(await wizard.dry_run(who, body.request(), connector_id=body.id, test=test))
