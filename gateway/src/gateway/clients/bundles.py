"""Reads of the bundles that the assignment service keeps."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from chassis.http.tokens import Caller
from contracts.errors import NotFound
from contracts.messages.bundles import Bundle
from contracts.queries.base import Page
from contracts.queries.bundles import BundleQuestion, ClearFields
from contracts.values import OrganizationId

from gateway.access.principal import Principal
from gateway.clients.base import segment


@dataclass(frozen=True)
class BundleClient:
    """Bundles of the organization and of its inventories. Unknown and foreign ids raise `NotFound`."""

    service: ServiceClient

    async def bundles(self, who: Principal, question: BundleQuestion) -> Page[Bundle]:
        """A page of bundles, oldest first."""
        asked = question.model_dump(mode="json")
        return Page[Bundle].model_validate(await self.service.post("/internal/bundles/search", who.caller(), asked))

    async def bundle(self, who: Principal, bundle_id: str, *, inventory_id: str | None) -> Bundle:
        """One bundle of the organization, or of an inventory."""
        found = await self._get(who, bundle_id)
        # Found by its id alone; the public address says where it belongs as well.
        if found.inventory_id != inventory_id:
            raise _not_found()
        return found

    async def find(self, who: Principal, bundle_id: str, *, inventory_id: str | None) -> Bundle | None:
        """Like `bundle`; None when there is none at all, as it may have been removed. Raises for one elsewhere."""
        try:
            found = await self._get(who, bundle_id)
        except NotFound:
            return None
        if found.inventory_id != inventory_id:
            raise _not_found()
        return found

    async def _get(self, who: Principal, bundle_id: str) -> Bundle:
        path = f"/internal/bundles/{segment(bundle_id, missing='bundle')}"
        return Bundle.model_validate(await self.service.get(path, who.caller()))

    async def kept(self, org: OrganizationId, bundle_id: str) -> Bundle | None:
        """A bundle of an organization, asked for on behalf of nobody; None when there is none."""
        path = f"/internal/bundles/{segment(bundle_id, missing='bundle')}"
        try:
            return Bundle.model_validate(await self.service.get(path, Caller(organization_id=org, account_id="")))
        except NotFound:
            return None

    async def clear_fields(self, who: Principal, integration_id: str | None) -> frozenset[str]:
        """The fields of bundles that hold no secret. `integration_id`: only that one can use the bundle."""
        params: Mapping[str, str] = {"integration_id": integration_id} if integration_id else {}
        answer = await self.service.get("/internal/bundles/clear-fields", who.caller(), params)
        return ClearFields.model_validate(answer).names


def _not_found() -> NotFound:
    return NotFound("bundle_not_found", "There is no such bundle.")
