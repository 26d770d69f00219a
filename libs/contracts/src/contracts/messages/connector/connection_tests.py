"""Connection tests: the command, its report and the event that carries it."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts import topics
from contracts.messages.assignment import App
from contracts.messages.base import Command
from contracts.messages.connector.base import ConnectorCommand, ConnectorEvent
from contracts.messages.connector.stores import StoreWarning
from contracts.values import AppId, CommandId, Value

Trigger = Literal["manual", "change"]


class Check(Value):
    """One step of a connection test."""

    name: str = Field(
        description="`reachable`, `authenticated`, `listable`, `writable`, `initialized`, `passphrase` or `repository`"
    )
    ok: bool = Field(description="Whether the step succeeded")
    duration_ms: float = Field(description="Milliseconds")
    detail: str = Field(default="", description="What was found, in words; never a secret")


class TestReport(Value):
    """Result of a connection test."""

    # Keeps pytest from collecting a class whose name begins with `Test`.
    __test__: ClassVar[bool] = False

    ok: bool = Field(description="Whether every check succeeded")
    checks: tuple[Check, ...] = Field(description="The steps, in the order in which they were taken")
    initialized: bool | None = Field(default=None, description="Stores only: whether a repository is there")
    warnings: tuple[StoreWarning, ...] = Field(
        default=(), description="Stores only: what is wrong with restore points; changes nothing about `ok`"
    )


class TestConnection(ConnectorCommand):
    """Connect for real and report each check. Result: a `TestReport`, also when a check failed."""

    __test__: ClassVar[bool] = False
    TYPE: ClassVar[str] = "cairn.connector.connection.test.v1"

    trigger: Trigger = Field(
        default="manual",
        description="`change`: the assignment service asks after each change of an app; nobody waits for the outcome, "
        "and where a later change is known, which has a test of its own, it is refused (`test_superseded`)",
    )


class TestDraft(Command):
    """Connect as an app would that nobody has saved, and report each check. Result: a `TestReport`, also when a check
    failed. Nothing is kept of it, and no event tells of it.
    """

    __test__: ClassVar[bool] = False
    TYPE: ClassVar[str] = "cairn.connector.draft.test.v1"
    TOPIC: ClassVar[str] = topics.CONNECTOR_COMMANDS
    KEY: ClassVar[str] = "draft_id"

    # Not the id of an app: the commands for the app that would be changed do not wait for it.
    draft_id: str = Field(description="Chosen by the sender, for this test alone")
    app: App = Field(description="The app as it would be; its secrets are sealed for its id")
    pool: str = Field(default=topics.DEFAULT_POOL, description="Pool of workers that can reach it")

    @property
    def topic(self) -> str:
        """The commands of the pool."""
        return topics.connector_commands(self.pool)


class ConnectionChecked(ConnectorEvent):
    """One step of a connection test is done. Lossy: `ConnectionTested` repeats them all."""

    TYPE: ClassVar[str] = "cairn.connector.connection.checked.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
    command_id: CommandId = Field(description="Id of the `TestConnection` that asked for it")
    number: int = Field(ge=1, description="Number of the step within the test, from 1")
    check: Check = Field(description="What was found")


class ConnectionTested(ConnectorEvent):
    """A connection was tested."""

    TYPE: ClassVar[str] = "cairn.connector.connection.tested.v1"
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")
    command_id: CommandId = Field(description="Id of the `TestConnection` that asked for it")
    report: TestReport = Field(description="What was found")
    # Events that were sent before these fields were there lack them.
    revision: int = Field(default=0, description="Revision of the app that was tested; 0: not told")
    trigger: Trigger = Field(default="manual", description="Why it was tested")
