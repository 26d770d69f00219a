"""Sends one command and waits for its outcome: `python -m tests.support.sender NAME`."""

import logging
import sys

import uvloop
from chassis.ids import new_id
from chassis.messaging.command_client import open_commands
from chassis.messaging.publisher import open_publisher
from chassis.runtime.settings import CommonSettings
from chassis.telemetry.tracing import span, telemetry
from contracts.messages.catalog import CreateInventory
from contracts.values import InventoryId, OrganizationId


async def send(settings: CommonSettings, name: str) -> None:
    """Have an inventory created, under one span."""
    command = CreateInventory(
        organization_id=OrganizationId("org"), inventory_id=InventoryId(new_id()), name=name, type="self-managed"
    )
    async with open_publisher(settings) as publisher, open_commands(settings, publisher, service="sender") as commands:
        with span("sender.send"):
            await commands.carry_out(command)
            logging.getLogger("sender").info("sent")


if __name__ == "__main__":
    found = CommonSettings.read()
    with telemetry("sender", found):
        uvloop.run(send(found, sys.argv[1]))
