"""Secrets sealed anew, when a key is replaced: what they say stays, and nobody but the gateway reads them."""

from typing import ClassVar

from pydantic import Field

from contracts.field_values import SealedValue
from contracts.messages.assignment import AppAssigned, AppCommand
from contracts.messages.bundles import BundleCommand, BundleCreated
from contracts.messages.catalog import CatalogCommand, InventoryCreated
from contracts.values import Value


class Resealed(Value):
    """A secret under another key. Takes the place of that very sealed value and of no later one."""

    field: str = Field(description="Name of the field")
    nonce: str = Field(description="Nonce of the sealed value that is replaced")
    sealed: SealedValue = Field(description="What takes its place")


class ResealApp(AppCommand):
    """Have the secrets of an app under other keys. Result: `{"id", "replaced"}`, how many took their places.

    What was changed since stays as it is. Refused: `app_not_found`, then there is nothing to replace.
    """

    TYPE: ClassVar[str] = "cairn.assignment.app.reseal.v1"

    resealed: tuple[Resealed, ...] = Field(description="The secrets under other keys")


class AppResealed(AppAssigned):
    """The secrets of an app are under other keys; nothing else about it is different."""

    TYPE: ClassVar[str] = "cairn.assignment.app.resealed.v1"


class ResealBundle(BundleCommand):
    """Have the secrets of a bundle under other keys. Result: `{"id", "replaced"}`, how many took their places.

    What was changed since stays as it is. Connectors that follow the bundle are told nothing: the same values come to
    them under other keys by `ResealApp`. Refused: `bundle_not_found`, then there is nothing to replace.
    """

    TYPE: ClassVar[str] = "cairn.assignment.bundle.reseal.v1"

    resealed: tuple[Resealed, ...] = Field(description="The secrets under other keys")


class BundleResealed(BundleCreated):
    """The secrets of a bundle are under other keys; nothing else about it is different."""

    TYPE: ClassVar[str] = "cairn.assignment.bundle.resealed.v1"


class ResealInventory(CatalogCommand):
    """Have the secrets of an inventory under other keys. Result: `{"id", "replaced"}`, how many took their places.

    What was changed since stays as it is. Refused: `inventory_not_found`, then there is nothing to replace.
    """

    TYPE: ClassVar[str] = "cairn.catalog.inventory.reseal.v1"

    resealed: tuple[Resealed, ...] = Field(description="The secrets under other keys")


class InventoryResealed(InventoryCreated):
    """The secrets of an inventory are under other keys; nothing else about it is different."""

    TYPE: ClassVar[str] = "cairn.catalog.inventory.resealed.v1"
