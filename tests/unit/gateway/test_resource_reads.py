"""A connector whose resource is gone, or has another class, is sent back as it was read."""

from dataclasses import replace
from typing import Any, cast

import pytest
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.security.sealing import Sealer
from contracts.errors import Invalid, NotFound
from contracts.messages.assignment import ReconfigureApp
from contracts.queries.assignment import Choice, ReachableApp
from contracts.queries.wizard import Draft, DraftQuestion
from contracts.values import IntegrationId, OrganizationId
from gateway.access.accounts import DataKey
from gateway.access.principal import Principal
from gateway.areas.connectors.descriptions import Descriptions
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import ConnectorRequest
from gateway.areas.connectors.service import Connectors
from gateway.areas.wizard.service import Wizard
from gateway.idempotency.intents import Intent

from tests.unit.gateway.test_domain import an_app

WHO = Principal(account_id="someone", organization_id=OrganizationId("org-1"))
APP = ReachableApp(**dict(an_app()))
SENT_BACK = ConnectorRequest(
    kind=APP.kind,
    name=APP.name,
    urn_id=APP.resource.id,
    integration_id=APP.integration.id,
    protocol=APP.protocol,
)


class Behind:
    """The catalog, which has no resource any more, the assignment service, and commands."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.kept: list[bool] = []
        self.drafts: list[DraftQuestion] = []

    async def resource(self, *_: object) -> Any:
        raise NotFound("resource_not_found", "There is no such resource.")

    async def app(self, *_: object) -> ReachableApp:
        return APP

    async def choose(self, *_: object, is_kept: bool, **__: object) -> Choice:
        self.kept.append(is_kept)
        return Choice(integration_id=IntegrationId(APP.integration.id), protocol=APP.protocol)

    async def draft(self, _: object, question: DraftQuestion) -> Draft:
        self.drafts.append(question)
        return Draft(app=APP)

    async def carry_out(self, command: Any, **_: object) -> None:
        self.sent.append(command)

    async def note(self, *_: object, **__: object) -> None:
        """Reads of secrets are not what this is about."""

    async def reconfigure(self, asked: ConnectorRequest) -> None:
        own = cast("Any", self)
        connectors = Connectors(own, own, own, own, encryption(), own, timeout_seconds=1)
        await connectors.reconfigure(WHO, APP.id, asked, Intent("0198b1c2-0000-7000-8000-000000000001", "key"))

    async def try_(self, asked: ConnectorRequest) -> None:
        own = cast("Any", self)
        wizard = Wizard(own, own, own, Descriptions(own, encryption()), timeout_seconds=1)
        await wizard.dry_run(WHO, asked, connector_id=APP.id, test=False)


def encryption() -> FieldEncryption:
    return FieldEncryption(Sealer(bytes(32)), MemoryAggregates(DataKey))


@pytest.mark.parametrize("asked", [SENT_BACK, replace(SENT_BACK, name="renamed")])
async def test_a_resource_that_is_gone_stays_with_the_connector_that_has_it(asked: ConnectorRequest) -> None:
    behind = Behind()
    await behind.reconfigure(asked)
    [command] = behind.sent
    assert isinstance(command, ReconfigureApp)
    assert (command.resource, command.description.name) == (APP.resource, asked.name)
    await behind.try_(asked)
    assert behind.drafts[0].resource == APP.resource
    assert behind.kept == [True, True]


@pytest.mark.parametrize(
    "other", [{"urn_id": "res-2"}, {"integration_id": "int-other"}, {"integration_id": None}, {"protocol": "other"}]
)
async def test_nothing_else_is_made_of_a_resource_that_is_gone(other: dict[str, Any]) -> None:
    behind = Behind()
    with pytest.raises(Invalid, match="resource_not_found"):
        await behind.reconfigure(replace(SENT_BACK, **other))
    assert behind.sent == []
