"""Reads for a person who makes a connector, step by step; and what would become of it, without making it."""

from collections.abc import Sequence

from chassis.http.problems import to_problem
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.errors import NotFound, PermanentError
from contracts.messages.connector.offers import Integration
from contracts.queries.wizard import (
    Compatibility,
    CompatibilityQuestion,
    CompatibleIntegrations,
    Draft,
    DraftQuestion,
    Form,
    FormQuestion,
    PrefilledText,
)
from contracts.values import OrganizationId

from assignment.apps.domain import apps, form
from assignment.apps.domain.choice import Choice, choose_protocol, require_usable
from assignment.apps.domain.draft import Examination, examine
from assignment.apps.domain.matching import Assessment, assess, offering, preferred, preferred_protocols, why_none
from assignment.apps.domain.names import suggested_names
from assignment.apps.domain.offers import Offering
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases.offers import known_offering
from assignment.apps.usecases.reads import reachable
from assignment.bundles.domain.filling import Filling, fill


async def compatible(
    store: AssignmentStore, org: OrganizationId, question: CompatibilityQuestion
) -> CompatibleIntegrations:
    """The integrations for a resource and a kind, those made for the resource first, and near misses."""
    with span("assignment.compatible", attributes={semconv.ORGANIZATION: org}):
        offered, resource, kind = await known_offering(store, org), question.resource, question.kind
        absent, gone = offered.uninstalled, offered.gone
        # Those that went away, too: whoever looks for one of them is told so.
        assessed = [assess(i, resource, kind=kind, uninstalled=absent, gone=gone) for i in offered.integrations]
        # Looked for among all of them: what a name leaves out of the listing is still a choice of the assignment.
        chosen = preferred(assessed) if question.resource else []
        asked = sorted((each for each in assessed if _is_called(each.integration, question.name)), key=_rank)
        return CompatibleIntegrations(
            items=tuple(_compatibility(each) for each in asked if each.is_usable),
            near_misses=tuple(_compatibility(each) for each in asked if each.is_near_miss),
            chosen=chosen[0].integration.id if len(chosen) == 1 else None,
            reason=why_none(assessed, asked, resource, question.name),
        )


async def form_for(store: AssignmentStore, org: OrganizationId, question: FormQuestion) -> Form:
    """What a person fills in for a connector of an integration. Raises `NotFound` for an unknown integration, and
    `Invalid` as an assignment would where it cannot be used, or has no such protocol.
    """
    with span("assignment.form_for", attributes={semconv.ORGANIZATION: org}):
        integration = _require_usable(await known_offering(store, org), question)
        offered = [Choice(integration, each, question.kind) for each in offering(integration, question.kind)]
        chosen = _chosen(integration, offered, question)
        resource, kind = question.resource, question.kind
        environment = form.environment_of(resource) if kind == "source" else None
        filling = await _filling(store, org, question, chosen, environment)
        fields = form.suggestions(chosen, resource, filling) if chosen else {}
        faults = form.faults_of(chosen, filling, fields) if chosen else ()
        taken = {app.name for app in await store.apps_at(org, resource.id) if app.kind == kind} if resource else set()
        return Form(
            integration=integration,
            kind=kind,
            protocols=tuple(form.form_of(each, resource) for each in offered),
            protocol=chosen.protocol.name if chosen else None,
            fields=fields,
            environment=environment,
            data_classes=form.data_classes_of(resource) if kind == "source" else None,
            endpoints=form.endpoints_of(resource),
            names=suggested_names(resource, kind, taken),
            faults=faults,
            complete=chosen is not None and not faults and form.is_complete(chosen, fields),
        )


async def draft(store: AssignmentStore, org: OrganizationId, question: DraftQuestion) -> Draft:
    """What an assignment would make of a description: all faults at once, or the app. Nothing is kept.

    Raises `NotFound` where an app would be changed that is not there.
    """
    with span("assignment.draft", attributes={semconv.ORGANIZATION: org}):
        current = apps.require_app(await store.apps.get(org, question.app_id)) if question.replaces else None
        offered, in_use = await known_offering(store, org), current.integration.id if current else None
        bundles = await store.bundles(org)
        found = examine(
            question.description,
            question.resource,
            offered.integrations,
            current=current,
            uninstalled=offered.uninstalled,
            gone=offered.gone_for(in_use),
            bundles=bundles,
        )
        if question.resource is None:
            refused = found.refusal()
            return _described(found, Draft(problem=to_problem(refused) if refused else None))
        try:
            app = apps.as_app(question.app_id, found, question.resource, revision=current.revision if current else 0)
        except PermanentError as refusal:
            return _described(found, Draft(problem=to_problem(refusal)))
        is_offered = offered.is_offered(app.integration.id)
        return _described(found, Draft(app=reachable(app, await store.present_pools(), bundles, is_offered=is_offered)))


async def _filling(
    store: AssignmentStore,
    org: OrganizationId,
    question: FormQuestion,
    chosen: Choice | None,
    proposed: PrefilledText | None,
) -> Filling:
    """What bundles give a connector of the resource that has the environment asked about, else the one proposed."""
    if chosen is None or question.resource is None:
        return Filling()
    environment = question.environment or (proposed.value if proposed else "")
    return fill(
        await store.bundles(org),
        resource=question.resource,
        environment=environment,
        integration=chosen.integration,
        protocol=chosen.protocol,
        kind=chosen.kind,
        given=(),
    )


def _require_usable(offered: Offering, question: FormQuestion) -> Integration:
    if all(each.id != question.integration_id for each in offered.integrations):
        raise NotFound("integration_not_found", "There is no integration with this id.")
    resource, kind, absent = question.resource, question.kind, offered.uninstalled
    assessed = [
        assess(each, resource, kind=kind, uninstalled=absent, gone=offered.gone) for each in offered.integrations
    ]
    return require_usable(assessed, question.integration_id)


def _chosen(integration: Integration, offered: Sequence[Choice], question: FormQuestion) -> Choice | None:
    """The protocol that was named, else the one that a connector gets which names none; None where there are more."""
    if question.protocol or len(preferred_protocols(integration, question.kind)) == 1:
        named = choose_protocol(integration, kind=question.kind, wanted=question.protocol or None)
        return next(each for each in offered if each.protocol == named)
    return None


def _is_called(integration: Integration, name: str) -> bool:
    return any(name.casefold() in each.casefold() for each in (integration.name, integration.title))


def _rank(assessment: Assessment) -> tuple[bool, str]:
    return not assessment.is_made_for, assessment.integration.name


def _compatibility(assessment: Assessment) -> Compatibility:
    protocols = tuple(each.name for each in offering(assessment.integration, assessment.kind))
    return Compatibility(
        integration=assessment.integration,
        code=assessment.code,
        reason=assessment.reason,
        match=assessment.match,
        made_for=assessment.is_made_for,
        protocols=protocols,
    )


def _described(found: Examination, draft: Draft) -> Draft:
    choice = found.choice
    if choice is None:
        return draft
    return draft.model_copy(
        update={
            "lacking": found.lacking,
            "filled": {name: form.from_bundle(filled) for name, filled in found.filling.fields.items()},
            "integration_id": choice.integration.id,
            "integration_name": choice.integration.name,
            "protocol": choice.protocol.name,
        }
    )
