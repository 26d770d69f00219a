"""What the assignment service answers."""

from pydantic import Field

from contracts.messages.assignment import App


class ReachableApp(App):
    """An app, and which pools of workers can reach it."""

    pools: tuple[str, ...] = Field(
        default=(), description="The default pool first, if it can; none where no pool says that it can"
    )
