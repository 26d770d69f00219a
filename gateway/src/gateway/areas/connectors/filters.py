"""Which connectors of a listing are wanted. Pure."""

from dataclasses import dataclass

from contracts.messages.assignment import App


@dataclass(frozen=True)
class ConnectorFilter:
    """Which connectors of a listing are wanted."""

    search: str = ""
    """A part of their name, or of their resource's name or URN, whatever the case."""
    inventory_id: str | None = None
    exclude_locked: bool = False

    def admits(self, app: App) -> bool:
        """Whether a connector is among them."""
        texts, sought = (app.name, app.resource.name, app.resource.urn), self.search.casefold()
        return (
            any(sought in text.casefold() for text in texts)
            and self.inventory_id in (None, app.resource.inventory_id)
            and not (self.exclude_locked and app.resource.locked)
        )


ALL_CONNECTORS = ConnectorFilter()
