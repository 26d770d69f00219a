"""What an organization uses of integrations: versions, connectors, and what an upgrade leads to."""

from contracts.messages.assignment import AppKind
from contracts.queries.installations import IntegrationUse, KnownIntegration, Upgrade
from contracts.versions import version_key
from pydantic import Field

from gateway.areas.integrations.schemas import Stage, stage_of
from gateway.http.answers import ProblemFieldView, View
from gateway.http.examples import CONNECTOR, INTEGRATION, example


class IntegrationVersionView(View):
    """A version of an integration."""

    model_config = example(
        name="fs", version="1.1.0", stage="stable", latest=True, offered=True, pools=["default"], connectors=3
    )

    name: str
    version: str
    stage: Stage
    latest: bool = Field(description="The newest one that workers offer")
    offered: bool = Field(description="False: no worker offers it; connectors use it still")
    pools: list[str] = Field(description="Pools whose workers offer it; none: they do not say which")
    connectors: int = Field(description="Connectors that use it")


class VersionUseView(View):
    """How many connectors use a version."""

    version: str
    connectors: int


class IntegrationSummaryView(View):
    """What an organization uses of an integration."""

    model_config = example(
        id=INTEGRATION,
        name="fs",
        connectors={"source": 2, "store": 1},
        connectors_total=3,
        versions=[{"version": "1.0.0", "connectors": 3}],
        latest_version="1.1.0",
        upgradable=3,
    )

    id: str
    name: str
    connectors: dict[AppKind, int] = Field(description="How many use it, by type")
    connectors_total: int
    versions: list[VersionUseView] = Field(description="Versions that connectors use, oldest first")
    latest_version: str
    upgradable: int = Field(description="Connectors that an upgrade would take to the latest version")


class MisfitView(View):
    """A connector that is incomplete in the newer version."""

    id: str
    name: str
    type: AppKind
    faults: list[ProblemFieldView]


class UpgradeView(View):
    """What an upgrade leads to. Connectors go over one after the other, right after the answer."""

    model_config = example(
        id=INTEGRATION,
        version="1.1.0",
        connectors=3,
        misfits=[
            {
                "id": CONNECTOR,
                "name": "files",
                "type": "source",
                "faults": [{"field": "fields.owner", "detail": "is missing"}],
            }
        ],
        misfits_total=1,
    )

    id: str
    version: str
    connectors: int = Field(description="How many go over to the version")
    misfits: list[MisfitView] = Field(
        description="Those that lack something then, up to 100: until it is there they are incomplete"
    )
    misfits_total: int


def version_views(known: KnownIntegration, use: IntegrationUse | None) -> list[IntegrationVersionView]:
    """The versions of an integration that workers offer or connectors use, newest first."""
    offered = {each.version: each for each in known.versions} if known.offered else {}
    used = {each.version: each.connectors for each in (use.versions if use else ())}
    newest_first = sorted({*offered, *used}, key=version_key, reverse=True)
    return [
        IntegrationVersionView(
            name=known.integration.name,
            version=version,
            stage=stage_of(version),
            latest=version == known.integration.version,
            offered=version in offered,
            pools=list(offered[version].pools) if version in offered else [],
            connectors=used.get(version, 0),
        )
        for version in newest_first
    ]


def summary_view(known: KnownIntegration, use: IntegrationUse | None) -> IntegrationSummaryView:
    """What an organization uses of an integration."""
    counts, versions = (use.connectors, use.versions) if use else ({}, ())
    newest = known.integration.version
    return IntegrationSummaryView(
        id=known.integration.id,
        name=known.integration.name,
        connectors=counts,
        connectors_total=sum(counts.values()),
        versions=[VersionUseView(version=each.version, connectors=each.connectors) for each in versions],
        latest_version=newest,
        upgradable=sum(each.connectors for each in versions if version_key(each.version) < version_key(newest)),
    )


def upgrade_view(done: Upgrade) -> UpgradeView:
    """What an upgrade leads to."""
    return UpgradeView(
        id=done.id,
        version=done.version,
        connectors=done.connectors,
        misfits=[
            MisfitView(
                id=each.id,
                name=each.name,
                type=each.kind,
                faults=[ProblemFieldView(field=fault.field, detail=fault.detail) for fault in each.faults],
            )
            for each in done.misfits
        ],
        misfits_total=done.misfits_total,
    )
