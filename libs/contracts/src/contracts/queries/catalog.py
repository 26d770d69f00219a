"""What the catalog answers."""

from contracts.messages.catalog import Inventory


class CountedInventory(Inventory):
    """An inventory and how many resources it holds."""

    count: int = 0
