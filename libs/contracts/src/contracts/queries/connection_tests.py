"""What is kept of connection tests, and what there is to say of a connector beside how it is configured."""

from pydantic import Field

from contracts.messages.assignment import AppKind
from contracts.messages.connector.connection_tests import TestReport, Trigger
from contracts.queries.assignment import ReachableApp
from contracts.values import CommandId, Moment, Value


class KeptTest(Value):
    """A connection test that was made."""

    command_id: CommandId = Field(description="Id of the command that asked for it")
    at: Moment = Field(description="When it was done")
    trigger: Trigger = Field(description="Why it was made")
    revision: int = Field(description="Revision of the app that was tested; 0: not told")
    report: TestReport = Field(description="What was found")


class ConnectorOverview(Value):
    """A connector with all that the assignment service knows of what can be done with it."""

    app: ReachableApp
    resource_removed: bool = Field(default=False, description="Whether its resource is gone")
    misfit: str = Field(
        default="",
        description="Why no connector of its resource could be made with its integration now, as the resource has "
        "another class than before; empty: one could",
    )
    partners: tuple[AppKind, ...] = Field(
        default=(),
        description="Kinds of which there is another app that can be used, and that workers reach who reach this one",
    )
    last_test: KeptTest | None = Field(default=None, description="The last test of the newest revision that was tested")
    initialized: bool | None = Field(
        default=None, description="Stores only: whether storage is there, as of this revision; None: not known"
    )
