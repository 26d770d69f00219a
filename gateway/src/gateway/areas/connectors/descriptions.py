"""What a client says about a connector, as the assignment service is told: secrets sealed, all faults at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.http.problems import to_error, to_problem
from contracts.errors import Invalid, PermanentError
from contracts.messages.assignment import App, AppDescription
from contracts.messages.catalog import Resource
from contracts.messages.outcomes import Problem
from contracts.queries.wizard import Draft, DraftQuestion
from contracts.values import AppId

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import ConnectorRequest, GivenField, check_providers
from gateway.areas.connectors.resource_reads import keeps
from gateway.clients.assignment import AssignmentClient


@dataclass(frozen=True)
class Descriptions:
    """Describes connectors to the assignment service."""

    assignment: AssignmentClient
    encryption: FieldEncryption

    async def describe(
        self, who: Principal, app_id: AppId, asked: ConnectorRequest, resource: Resource, *, replaces: App | None = None
    ) -> AppDescription:
        """The description to send. Raises all faults at once where one is found before the assignment service is
        asked to carry it out; what it finds itself it also tells at once.
        """
        description, refused = await self._sealed(who, app_id, asked, resource, replaces)
        provider = provider_fault(asked.fields)
        if refused is None and provider is None:
            return description
        draft = await self._draft(who, app_id, description, resource, replaces=replaces)
        # A choice that was refused a moment ago and is not now: then for what it was refused.
        problem = together(provider, draft.problem or (to_problem(refused) if refused else None))
        if problem is None:
            return description
        raise to_error(problem)

    async def draft(
        self,
        who: Principal,
        app_id: AppId,
        asked: ConnectorRequest,
        resource: Resource | None,
        *,
        replaces: App | None = None,
    ) -> tuple[Draft, Problem | None]:
        """What would become of it, and what it would be refused with."""
        description, _ = await self._sealed(who, app_id, asked, resource, replaces)
        draft = await self._draft(who, app_id, description, resource, replaces=replaces)
        return draft, together(provider_fault(asked.fields), draft.problem)

    async def _draft(
        self,
        who: Principal,
        app_id: AppId,
        description: AppDescription,
        resource: Resource | None,
        *,
        replaces: App | None,
    ) -> Draft:
        question = DraftQuestion(
            app_id=app_id, replaces=replaces is not None, description=description, resource=resource
        )
        return await self.assignment.draft(who, question)

    async def _sealed(
        self, who: Principal, app_id: AppId, asked: ConnectorRequest, resource: Resource | None, replaces: App | None
    ) -> tuple[AppDescription, PermanentError | None]:
        """The description, and why integration and protocol could not be chosen: then all its fields are sealed."""
        # Asked first, as it also says which fields hold no secret: all others are sealed, unknown ones too.
        clear, refused = frozenset[str](), None
        integration_id, protocol = asked.integration_id, asked.protocol
        try:
            choice = await self.assignment.choose(
                who,
                kind=asked.kind,
                resource=resource,
                integration_id=integration_id,
                protocol=protocol,
                in_use=replaces.integration.id if replaces else None,
                is_kept=replaces is not None and keeps(asked, replaces),
            )
            clear, integration_id, protocol = choice.clear_fields, choice.integration_id, choice.protocol
        except PermanentError as error:
            refused = error
        # Compared only for those who may read them: for others it would be a way to guess.
        known = replaces.fields if replaces and who.may(Right.SECRETS) else None
        fields = await self.encryption.seal(who.organization_id, app_id, asked.fields, clear=clear, known=known)
        description = AppDescription(
            kind=asked.kind,
            name=asked.name,
            integration_id=integration_id,
            protocol=protocol,
            fields=fields,
            endpoints=asked.endpoints,
            data_classes=asked.data_classes,
            environment=asked.environment,
            temperature=asked.temperature,
            hooks=asked.hooks,
        )
        return description, refused


def provider_fault(fields: Mapping[str, GivenField]) -> Invalid | None:
    """What `check_providers` raises."""
    try:
        check_providers(fields)
    except Invalid as error:
        return error
    return None


def together(fault: Invalid | None, problem: Problem | None) -> Problem | None:
    """Both at once; either as it is where there is just one."""
    if fault is None:
        return problem
    found = to_problem(fault)
    if problem is None:
        return found
    detail = f"{found.detail} {problem.detail}"
    return Problem(code="app_invalid", kind=found.kind, detail=detail, fields=(*found.fields, *problem.fields))
