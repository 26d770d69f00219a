"""The body of a request to run a task."""

from typing import TYPE_CHECKING, Annotated, Literal

from contracts.tasks import (
    PLANNED_KINDS,
    TASK_KINDS,
    OverwritePolicy,
    TaskOptions,
    TaskType,
    origins_in_words,
    targets_in_words,
)
from pydantic import Field

from gateway.areas.scheduling.service import RunRequest
from gateway.http.body_fields import MOST_LABELS, Body, Id, Labels, MaybeId, Switch, none_is, text
from gateway.http.examples import example

if TYPE_CHECKING:
    PublicTaskType = TaskType
else:
    # Made from the registry, so that a new type is taken here without a line of its own. mypy wants to read a Literal.
    PublicTaskType = Literal[*TASK_KINDS, *PLANNED_KINDS]

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

    type: PublicTaskType
    origin_id: Id = Field(description=origins_in_words())
    target_id: MaybeId = Field(default=None, description=targets_in_words())
    config: Annotated[RunConfig, none_is(RunConfig(), RunConfig)] = RunConfig()
    edge_tags: Labels = Field(default=(), description="All must be present on the edge that runs the task")

    def request(self) -> RunRequest:
        """The body as the use cases take it."""
        options = TaskOptions.model_validate(self.config.model_dump())
        return RunRequest(self.type, self.origin_id, self.target_id, options, self.edge_tags)
