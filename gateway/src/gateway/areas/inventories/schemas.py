"""Inventories."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from contracts.inventory_types import MANAGED, SELF_MANAGED, InventoryType, block_of
from contracts.queries.catalog import CountedInventory, Coverage
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, JsonValue, create_model
from pydantic_core import CoreSchema

from gateway.areas.inventories.blocks import (
    BODIES,
    BlockBody,
    BlockView,
    BodyOf,
    ViewOf,
    alternatives,
    block_view,
    example_of,
)
from gateway.areas.inventories.service import InventoryRequest, ReadInventory
from gateway.http.answers import Absent, View
from gateway.http.body_fields import LONGEST_AUDITED_TEXT, Body, LabelText
from gateway.http.examples import INVENTORY, example

_ROW = {
    "id": INVENTORY,
    "name": "datacentre",
    "type": "self-managed",
    "count": 2,
    "last_update": None,
    "residency": None,
    "coverage": {"protected": 1, "unprotected": 1, "excluded": 0},
}
_NOTHING = {"protected": 0, "unprotected": 0, "excluded": 0}


def _example(kind: InventoryType) -> dict[str, JsonValue]:
    block: dict[str, JsonValue] = {} if kind == SELF_MANAGED else {block_of(kind): example_of(kind)}
    return {"name": "datacentre" if kind == SELF_MANAGED else f"{kind}-production", "type": kind, **block}


class CoverageView(View):
    """How many resources are protected. Of managed inventories, only those that have a class count."""

    model_config = example(protected=1, unprotected=1, excluded=0)

    protected: int = Field(description="A source uses them")
    unprotected: int = Field(description="No source uses them")
    excluded: int = Field(description="Left out, whether or not a source uses them")


class ClassSummaryView(View):
    """How many resources of a class there are."""

    class_: str = Field(alias="class")
    name: str = Field(description="The class as people are shown it")
    count: int


class InventoryRowView(View):
    """An inventory in a listing. What is not known is null."""

    model_config = example(**_ROW)

    id: str
    name: str
    type: str
    count: int = Field(description="Resources in it")
    # Nothing fills these yet; clients read them, so they are there.
    last_update: str | None = None
    residency: JsonValue = None
    coverage: CoverageView


class InventoryView(InventoryRowView):
    """One inventory, with the block of its type: the settings that were sent, in which secrets may be masked."""

    model_config = example(**{**_ROW, **_example("aws"), "count": 0, "coverage": _NOTHING}, summaries=[])

    summaries: list[ClassSummaryView] = Field(description="Its resources by class")
    aws_configuration: Annotated[BlockView | None, ViewOf("aws")] = Absent
    ovh_configuration: Annotated[BlockView | None, ViewOf("ovh")] = Absent
    scaleway_configuration: Annotated[BlockView | None, ViewOf("scaleway")] = Absent
    gcp_configuration: Annotated[BlockView | None, ViewOf("gcp")] = Absent
    vmware_configuration: Annotated[BlockView | None, ViewOf("vmware")] = Absent
    k8s_configuration: Annotated[BlockView | None, ViewOf("k8s")] = Absent


class SyncView(View):
    """Whether an inventory could be synced."""

    model_config = example(ok=True, error="")

    ok: bool
    error: str


def coverage_view(coverage: Coverage) -> CoverageView:
    """How many resources are protected."""
    return CoverageView(**coverage.model_dump())


def inventory_row(inventory: CountedInventory) -> InventoryRowView:
    """An inventory in a listing."""
    return InventoryRowView(
        id=inventory.id,
        name=inventory.name,
        type=inventory.type,
        count=inventory.count,
        coverage=coverage_view(inventory.coverage),
    )


def inventory_view(read: ReadInventory) -> InventoryView:
    """One inventory."""
    row, kind = inventory_row(read.inventory).model_dump(), read.inventory.type
    summaries = [ClassSummaryView(**dict(each)) for each in read.inventory.summaries]
    block = {} if kind == SELF_MANAGED else {block_of(kind): block_view(kind, read.settings)}
    return InventoryView(**row, summaries=summaries, **block)


class InventoryName(Body):
    """A self-managed inventory."""

    model_config = example(name="datacentre")

    name: LabelText

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"name": self.name[:LONGEST_AUDITED_TEXT]}

    def request(self) -> InventoryRequest:
        """The body as the use cases take it."""
        return InventoryRequest(self.name, SELF_MANAGED, {})


class InventoryBody(InventoryName):
    """An inventory of any type, with the block of its type; other blocks are not looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [_example(kind) for kind in get_args(InventoryType)],
            "anyOf": [
                needed for kind in get_args(InventoryType) for needed in alternatives(kind, type={"const": kind})
            ],
        }
    )

    type: InventoryType
    aws_configuration: Annotated[BlockBody | None, BodyOf("aws")] = None
    ovh_configuration: Annotated[BlockBody | None, BodyOf("ovh")] = None
    scaleway_configuration: Annotated[BlockBody | None, BodyOf("scaleway")] = None
    gcp_configuration: Annotated[BlockBody | None, BodyOf("gcp")] = None
    vmware_configuration: Annotated[BlockBody | None, BodyOf("vmware")] = None
    k8s_configuration: Annotated[BlockBody | None, BodyOf("k8s")] = None

    def request(self) -> InventoryRequest:
        """The body as the use cases take it."""
        block: BlockBody | None = getattr(self, block_of(self.type), None)
        return InventoryRequest(self.name, self.type, block.given() if block else {})


class TypedBody(InventoryName):
    """An inventory of the type that the path names."""

    kind: ClassVar[InventoryType]

    def request(self) -> InventoryRequest:
        """The body as the use cases take it."""
        block: BlockBody | None = getattr(self, block_of(self.kind))
        return InventoryRequest(self.name, self.kind, block.given() if block else {})


def _typed(of: InventoryType) -> type[TypedBody]:
    class OfType(TypedBody):
        model_config = ConfigDict(
            json_schema_extra={
                "examples": [{"name": f"{of}-production", block_of(of): example_of(of)}],
                "anyOf": list(alternatives(of)),
            }
        )

        kind: ClassVar[InventoryType] = of

    block: Any = {block_of(of): (BODIES[of] | None, None)}
    name, words = f"{of.capitalize()}InventoryBody", f"An inventory of type `{of}`."
    return create_model(name, __base__=OfType, __doc__=words, **block)


_TYPED_BODIES = {kind: _typed(kind) for kind in MANAGED}


@dataclass(frozen=True)
class TypedBodyOf:
    """Reads a body by the model of its type."""

    kind: InventoryType

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the model of the type, in place of that of `TypedBody`."""
        return handler.generate_schema(_TYPED_BODIES[self.kind])
