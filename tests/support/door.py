"""Asking a running service as its neighbours do: commands over Kafka, reads over its internal API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from chassis.http.tokens import Caller, Tokens
from chassis.runtime.settings import CommonSettings, read_key
from contracts.envelope import Envelope
from contracts.messages.base import Message
from contracts.messages.outcomes import CommandOutcome, Problem
from contracts.topics import OUTCOMES
from contracts.values import OrganizationId
from fastapi import FastAPI

from tests.support.builders import ORG, wrap
from tests.support.kafka import Ear, Wire, header, to_envelope


def service_token(settings: CommonSettings, org: OrganizationId = ORG) -> str:
    """A token by which a service of Cairn reads on behalf of an organization."""
    tokens = Tokens(read_key(settings.service_key_file), audience="cairn-internal")
    return tokens.sign(Caller(organization_id=org, account_id="test"), ttl_seconds=600)


def internal_client(
    settings: CommonSettings, app: FastAPI | None = None, *, org: OrganizationId = ORG, url: str = "http://service"
) -> httpx.AsyncClient:
    """A client with a token: of an app in this process, or of one that answers at `url`."""
    transport = httpx.ASGITransport(app) if app else None
    headers = {"authorization": f"Bearer {service_token(settings, org)}"}
    return httpx.AsyncClient(transport=transport, base_url=url, headers=headers, trust_env=False, timeout=10)


class InternalApi:
    """The internal API of a service, asked on behalf of one organization or another."""

    def __init__(self, http: httpx.AsyncClient, settings: CommonSettings, *, org: OrganizationId = ORG) -> None:
        self.http = http
        self._settings = settings
        self._org = org

    async def get(self, path: str, org: OrganizationId | None = None) -> httpx.Response:
        """What a service answers that shows a token."""
        return await self.http.get(path, headers=self._headers(org))

    async def post(self, path: str, body: dict[str, Any], org: OrganizationId | None = None) -> httpx.Response:
        """The same for a question that comes as a body."""
        return await self.http.post(path, json=body, headers=self._headers(org))

    def _headers(self, org: OrganizationId | None) -> dict[str, str]:
        return {"authorization": f"Bearer {service_token(self._settings, org or self._org)}"}


def tokenless_client(app: FastAPI) -> httpx.AsyncClient:
    """A client without a token, of an app in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@dataclass(frozen=True)
class Asker:
    """Sends commands and hears what becomes of them."""

    wire: Wire
    ear: Ear

    async def ask(self, command: Message | Envelope[Any], *, deadline_seconds: float = 15) -> CommandOutcome:
        """Send a command; its outcome."""
        sent = await self.wire.publish(command if isinstance(command, Envelope) else wrap(command))
        return await self.outcome(sent, deadline_seconds=deadline_seconds)

    async def outcome(self, command: Envelope[Any], *, deadline_seconds: float = 15) -> CommandOutcome:
        """The outcome of a command that was sent."""
        heard = await self.ear.message(
            CommandOutcome, lambda data: data.command_id == command.id, deadline_seconds=deadline_seconds
        )
        outcome = heard.data
        assert isinstance(outcome, CommandOutcome)
        return outcome

    async def ask_all(self, commands: list[Envelope[Any]], *, deadline_seconds: float = 60) -> list[CommandOutcome]:
        """Send commands without waiting in between; their outcomes in the same order."""
        for command in commands:
            await self.wire.publish(command)
        return [await self.outcome(command, deadline_seconds=deadline_seconds) for command in commands]

    async def rejection(self, command: Message | Envelope[Any]) -> Problem:
        """The problem of a command that is rejected."""
        outcome = await self.ask(command)
        assert not outcome.accepted, outcome
        assert outcome.problem is not None
        return outcome.problem

    def heard(self, wanted: type[Message]) -> list[Envelope[Any]]:
        """All messages of a class heard so far, in order."""
        return [to_envelope(record) for record in self.ear.heard if header(record, "ce_type") == wanted.TYPE]


@asynccontextmanager
async def open_asker(wire: Wire, *topics: str) -> AsyncIterator[Asker]:
    """Hear outcomes and the given topics from now on."""
    await wire.ensure(OUTCOMES, *topics)
    async with wire.listening(OUTCOMES, *topics) as ear:
        yield Asker(wire, ear)
