"""What services keep sealed, and which master keys workers have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from chassis.http.tokens import Caller
from contracts.queries.base import Listing
from contracts.queries.sealing import KeyHolder, SealedOwners, SealedQuestion
from contracts.values import OrganizationId

COPIES = "copies of workers"


@dataclass(frozen=True)
class SealingClient:
    """Asks for the installation, on behalf of nobody. Silence raises `Unavailable`."""

    owners: Mapping[str, ServiceClient]
    """Services that decide about what they keep."""
    workers: ServiceClient

    async def sealed(self, owner: str, org: OrganizationId, question: SealedQuestion) -> SealedOwners:
        """What an owner keeps of an organization under other keys, and how much under which."""
        return await self._ask(self.owners[owner], org, question)

    async def copies(self, org: OrganizationId, question: SealedQuestion) -> SealedOwners:
        """The same of the copies that workers have of connectors."""
        return await self._ask(self.workers, org, question)

    async def workers_present(self) -> Sequence[KeyHolder]:
        """The workers that run, of all pools."""
        answer = await self.workers.get("/internal/key-holders", _caller(OrganizationId("")))
        return Listing[KeyHolder].model_validate(answer).items

    async def _ask(self, service: ServiceClient, org: OrganizationId, question: SealedQuestion) -> SealedOwners:
        asked = question.model_dump(mode="json")
        return SealedOwners.model_validate(await service.post("/internal/sealing", _caller(org), asked))


def _caller(org: OrganizationId) -> Caller:
    return Caller(organization_id=org, account_id="")
