"""Runs."""

from typing import Annotated, Literal

from contracts.tasks import OverwritePolicy, TaskOptions
from pydantic import Field

from gateway.areas.scheduling.service import RunRequest
from gateway.http.examples import example
from gateway.http.request_bodies import MOST_LABELS, Body, Id, Labels, MaybeId, Switch, none_is, text

LONGEST_PATTERN = 512
PatternText = Annotated[str, text(LONGEST_PATTERN, empty=True)]
PatternTexts = Annotated[tuple[PatternText, ...], Field(json_schema_extra={"maxItems": MOST_LABELS})]
Patterns = Annotated[PatternTexts, none_is((), PatternTexts)]

LONGEST_PATH = 4096
PathText = Annotated[str, text(LONGEST_PATH)]
PathTexts = Annotated[tuple[PathText, ...], Field(json_schema_extra={"maxItems": MOST_LABELS})]
Paths = Annotated[PathTexts, none_is((), PathTexts)]


class RunConfig(Body):
    """Options of a run."""

    labels: Labels = Field(default=(), description="backup: become tags of the restore point")
    ignores: Patterns = Field(default=(), description="backup: patterns of files to leave out")
    one_file_system: Switch = Field(
        default=False, description="backup: leave out what is mounted below the source's root"
    )
    allow_empty: Switch = Field(
        default=False, description="backup: make a restore point also of a source with nothing in it"
    )
    snapshot_id: MaybeId = None
    paths: Paths = Field(default=(), description="restore: files and directories of the restore point; none: all of it")
    overwrite: OverwritePolicy = Field(
        default="always", description="restore: what becomes of files that are there already"
    )
    read_percent: float = Field(
        default=0,
        ge=0,
        le=100,
        strict=True,
        description="check: how much of the data is read; of a restore point all, if any",
    )


class RunBody(Body):
    """A task to run once, now."""

    model_config = example(
        type="backup",
        origin_id="0198b1c2-0000-7000-8000-00000000000b",
        target_id="0198b1c2-0000-7000-8000-00000000000c",
        config={"labels": ["before-upgrade"]},
    )

    # `sync` is a type of the API that no worker does yet: the scheduler refuses it by its own code.
    type: Literal["backup", "restore", "check", "sync"]
    origin_id: Id = Field(description="backup: a source; restore, check, sync: a store")
    target_id: MaybeId = Field(default=None, description="backup, sync: a store; restore: a destination")
    config: Annotated[RunConfig, none_is(RunConfig(), RunConfig)] = RunConfig()
    edge_tags: Labels = Field(default=(), description="All must be present on the edge that runs the task")

    def request(self) -> RunRequest:
        """The body as the use cases take it."""
        options = TaskOptions.model_validate(self.config.model_dump())
        return RunRequest(self.type, self.origin_id, self.target_id, options, self.edge_tags)
