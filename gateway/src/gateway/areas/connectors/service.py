"""Connectors: resources put to use. Their secrets are sealed before they leave the gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import Invalid, NotFound
from contracts.messages.assignment import App, AppKind, AppRef, AssignApp, ReconfigureApp
from contracts.messages.connector.connection_tests import TestConnection, TestReport
from contracts.messages.connector.stores import (
    Compression,
    InitializedStore,
    InitializeStore,
    RefreshStore,
    StoreDifference,
    StoreLock,
    UnlockedStore,
    UnlockStore,
)
from contracts.queries.assignment import ReachableApp
from contracts.queries.connection_tests import ConnectorOverview
from contracts.values import AppId

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.connectors.actions import Action, actions_of
from gateway.areas.connectors.bundle_values import with_following, with_origins
from gateway.areas.connectors.descriptions import Descriptions
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.filters import ALL_CONNECTORS, ConnectorFilter
from gateway.areas.connectors.preconditions import (
    ConnectorRequest,
    GivenField,
    check_complete,
    check_initializable,
    check_offered,
    check_store,
)
from gateway.areas.connectors.resource_reads import resource_of
from gateway.areas.connectors.revisions import ANY_REVISION, ExpectedRevision
from gateway.areas.connectors.secret_reads import Place, SecretReads
from gateway.clients.assignment import AssignmentClient
from gateway.clients.catalog import CatalogClient
from gateway.clients.connector import ConnectorClient
from gateway.clients.pools import pool_of
from gateway.idempotency.intents import Intent


@dataclass(frozen=True)
class ReadConnector:
    """An app with its fields as its client reads them."""

    app: App
    fields: Mapping[str, GivenField]


def reference(app: App) -> AppRef:
    """An app as messages refer to it."""
    # With the revision: a worker waits until it knows that one, rather than work with an older configuration.
    return AppRef(id=app.id, revision=app.revision, kind=app.kind, name=app.name)


@dataclass(frozen=True)
class ReadOverview:
    """A connector as its client reads it, with what else there is to say of it."""

    overview: ConnectorOverview
    fields: Mapping[str, GivenField]
    actions: Sequence[Action]


@dataclass(frozen=True)
class Connectors:
    """What can be done with connectors."""

    catalog: CatalogClient
    assignment: AssignmentClient
    workers: ConnectorClient
    commands: Commands
    encryption: FieldEncryption
    secret_reads: SecretReads
    timeout_seconds: float

    async def list(
        self, who: Principal, kind: AppKind | None, wanted: ConnectorFilter = ALL_CONNECTORS
    ) -> Sequence[ReadConnector]:
        """All connectors, or those of a kind, as far as they are wanted; see `read`."""
        found = [app for app in await self.assignment.apps(who, kind) if wanted.admits(app)]
        return await self._shown(who, found, of="organization")

    async def read(self, who: Principal, app_id: str) -> ReadConnector:
        """One connector. Its secrets are in clear for who may see them, which is written down before; else masked."""
        [shown] = await self._shown(who, [await self.assignment.app(who, app_id)], of="connector")
        return shown

    async def overview(self, who: Principal, app_id: str) -> ReadOverview:
        """One connector as `read` shows it, its last test, and what can be done with it."""
        found = await self.assignment.overview(who, app_id)
        [shown] = await self._shown(who, [found.app], of="connector")
        return ReadOverview(found, shown.fields, self.actions(who, found))

    def actions(self, who: Principal, overview: ConnectorOverview) -> Sequence[Action]:
        """What can be done with a connector now."""
        return actions_of(overview, self.encryption.open(who.organization_id, overview.app, masked=True))

    async def _shown(self, who: Principal, apps: Sequence[ReachableApp], *, of: Place) -> Sequence[ReadConnector]:
        masked = not who.may(Right.SECRETS)
        if not masked:
            # First: what cannot be written down is not handed out (0006).
            await self.secret_reads.note(who, apps, of=of)
        opened = ((app, self.encryption.open(who.organization_id, app, masked=masked)) for app in apps)
        return [ReadConnector(app, with_origins(app, fields)) for app, fields in opened]

    async def assign(self, who: Principal, asked: ConnectorRequest, intent: Intent) -> ReadConnector:
        """Put a resource to use. A repeated intent changes nothing and brings the same connector."""
        app_id = AppId(intent.id_for("app"))
        with span("gateway.assign_connector"):
            resource = await self.catalog.resource(who, asked.urn_id)
            description = await self._descriptions.describe(who, app_id, asked, resource)
            command = AssignApp(
                organization_id=who.organization_id, app_id=app_id, description=description, resource=resource
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.read(who, app_id)

    async def reconfigure(
        self,
        who: Principal,
        app_id: str,
        asked: ConnectorRequest,
        intent: Intent,
        *,
        expected: ExpectedRevision = ANY_REVISION,
    ) -> ReadConnector:
        """Replace what is said about a connector. A resource that is not there is `Invalid`: the connector is.
        But one that is gone stays with the connector that has it, as long as nothing else is chosen.

        Raises `PreconditionFailed` where it is not in the revision that is expected.
        """
        with span("gateway.reconfigure_connector"):
            app = await self.assignment.app(who, app_id)
            try:
                resource = await resource_of(self.catalog, who, asked, replaces=app)
            except NotFound as error:
                raise Invalid(error.code, error.detail, fields={"urn_id": "there is no such resource"}) from error
            asked = replace(asked, fields=with_following(who, app, asked.fields, self.encryption))
            description = await self._descriptions.describe(who, app.id, asked, resource, replaces=app)
            command = ReconfigureApp(
                organization_id=who.organization_id,
                app_id=app.id,
                description=description,
                resource=resource,
                expected_revision=expected.of(app),
            )
            await self.commands.carry_out(command, **intent.ids)
            return await self.read(who, app_id)

    async def initialize(
        self,
        who: Principal,
        app_id: str,
        intent: Intent,
        *,
        compression: Compression | None = None,
        force: bool = False,
        chunker_of: str | None = None,
    ) -> InitializedStore:
        """Create the repository of a store. `force` gives up another one that the store had."""
        with span("gateway.initialize_store"):
            store = await self.assignment.app(who, app_id)
            other = await self._chunker_of(who, chunker_of) if chunker_of else None
            # Opened to see whether the passphrase is blank, which a sealed one does not show.
            check_initializable(store, self.encryption.open(who.organization_id, store))
            check_offered(store)
            command = InitializeStore(
                organization_id=who.organization_id,
                app_id=store.id,
                app=reference(store),
                force=force,
                compression=compression,
                chunker_of=reference(other) if other else None,
                pool=pool_of(store),
            )
            result = await self.commands.carry_out(command, **intent.ids, timeout_seconds=self.timeout_seconds)
            return InitializedStore.model_validate(result)

    async def _chunker_of(self, who: Principal, app_id: str) -> App:
        """The store whose chunker another one takes over. Raises `Invalid` where there is none with this id."""
        try:
            store = await self.assignment.app(who, app_id)
        except NotFound as error:
            raise Invalid(error.code, error.detail, fields={"chunker_of": "there is no such store"}) from error
        check_store(store)
        return store

    async def refresh(
        self, who: Principal, app_id: str, intent: Intent, *, rebuild: bool, force: bool = False
    ) -> StoreDifference:
        """Have the restore index follow a store. Tells how they differ; the rest follows in the background."""
        with span("gateway.refresh_store"):
            store = await self.assignment.app(who, app_id)
            check_store(store)
            check_complete(store)
            command = RefreshStore(
                organization_id=who.organization_id,
                app_id=store.id,
                app=reference(store),
                rebuild=rebuild,
                force=force,
                # Asked for by a person, who may suspect a loss; in the background it is looked for once a day.
                look_for_loss=True,
                pool=pool_of(store),
            )
            result = await self.commands.carry_out(command, **intent.ids, timeout_seconds=self.timeout_seconds)
            return StoreDifference.model_validate(result)

    async def locks(self, who: Principal, app_id: str) -> Sequence[StoreLock]:
        """Who holds a store."""
        store = await self.assignment.app(who, app_id)
        check_store(store)
        return await self.workers.store_locks(who, store.id)

    async def unlock(self, who: Principal, app_id: str, intent: Intent) -> UnlockedStore:
        """Remove the locks of a store that are proved stale. Raises `Conflict` (`lock_not_stale`) where none is."""
        with span("gateway.unlock_store"):
            store = await self.assignment.app(who, app_id)
            check_store(store)
            command = UnlockStore(
                organization_id=who.organization_id, app_id=store.id, app=reference(store), pool=pool_of(store)
            )
            result = await self.commands.carry_out(command, **intent.ids, timeout_seconds=self.timeout_seconds)
            return UnlockedStore.model_validate(result)

    async def test(self, who: Principal, app_id: str, intent: Intent) -> TestReport:
        """Connect for real and report each check."""
        with span("gateway.test_connector"):
            app = await self.assignment.app(who, app_id)
            check_complete(app)
            check_offered(app)
            command = TestConnection(
                organization_id=who.organization_id, app_id=app.id, app=reference(app), pool=pool_of(app)
            )
            result = await self.commands.carry_out(command, **intent.ids, timeout_seconds=self.timeout_seconds)
            return TestReport.model_validate(result)

    @property
    def _descriptions(self) -> Descriptions:
        return Descriptions(self.assignment, self.encryption)
