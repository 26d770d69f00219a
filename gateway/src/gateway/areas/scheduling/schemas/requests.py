"""The body of a request to run a task."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from contracts.json_values import whole_number
from contracts.messages.scheduler import HIGHEST_PRIORITY, USUAL_PRIORITY
from contracts.paths import PATH_PATTERN
from contracts.task_types.base import TaskType
from contracts.tasks import (
    TASK_KINDS,
    TaskOptions,
    origins_in_words,
    targets_in_words,
)
from pydantic import BeforeValidator, Field, StrictBool, create_model, model_validator
from pydantic.fields import FieldInfo

from gateway.areas.scheduling.service import RunRequest
from gateway.http.body_fields import (
    MOST_LABELS,
    Body,
    HooksBody,
    Id,
    Labels,
    LabelTexts,
    MaybeId,
    empty_is_none,
    none_is,
    text,
)
from gateway.http.examples import example

LONGEST_PATTERN, LONGEST_PATH = 512, 4096


def _not_yet(instead: str) -> BeforeValidator:
    """A field of the product that Cairn has not: refused in words, as one that is ignored would be taken for done."""

    def refuse(value: object) -> None:
        if value not in (None, ""):
            raise ValueError(f"is not taken yet: {instead}")

    return BeforeValidator(refuse, json_schema_input_type=Literal[""] | None)


_NOT_TAKEN = Field(description="Not taken yet", exclude=True)
NoTime = Annotated[None, _not_yet("a run begins at once, or as soon as its turn comes"), _NOT_TAKEN]
NoSchedule = Annotated[None, _not_yet("a run happens once"), _NOT_TAKEN]
NoEdge = Annotated[None, _not_yet("say edge_tags"), _NOT_TAKEN]
NoFormat = Annotated[None, _not_yet("a restore writes files; archives are made by /snapshots/{id}/archive"), _NOT_TAKEN]
_PatternText = Annotated[str, text(LONGEST_PATTERN)]
_PathText = Annotated[str, Field(json_schema_extra={"maxLength": LONGEST_PATH, "pattern": PATH_PATTERN})]
_DOCUMENTED: dict[str, Any] = {
    "labels": LabelTexts,
    "ignores": Annotated[tuple[_PatternText, ...], Field(json_schema_extra={"maxItems": MOST_LABELS})],
    "snapshot_id": MaybeId,
    "hooks": HooksBody | None,
    "paths": Annotated[tuple[_PathText, ...], Field(json_schema_extra={"maxItems": MOST_LABELS})],
}
"""Options that clients write otherwise than messages, or whose limits the scheduler checks together with all others."""


def _option(name: str, field: FieldInfo) -> Any:
    """The field of a request for an option of the contract: the same limits, and null (or "" for it) is its default."""
    plain: Any = StrictBool if field.annotation is bool else field.annotation
    kind: Any = Annotated[_DOCUMENTED.get(name, plain), Field(description=field.description), *field.metadata]
    reader = empty_is_none(kind) if field.default is None else none_is(field.default, kind)
    return Annotated[kind, reader], field.default


if TYPE_CHECKING:
    PublicTaskType = TaskType
    RunConfig = Body
else:
    # Made from the contracts, so that a new type or option needs no line here. mypy wants to read them.
    PublicTaskType = Literal[*TASK_KINDS]
    RunConfig = create_model(
        "RunConfig",
        __base__=Body,
        __doc__="Options of a run.",
        **{name: _option(name, field) for name, field in TaskOptions.model_fields.items()},
        format=(NoFormat, None),
    )

_Rank = Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY, strict=True)]
Priority = Annotated[_Rank, whole_number(_Rank), none_is(USUAL_PRIORITY, _Rank)]


# What another run could have otherwise, and a retry cannot.
_OF_THE_TASK = ("type", "origin_id", "target_id", "config", "edge_tags")


class RetryBody(Body):
    """What may differ when a task is run once more."""

    model_config = example(priority=80)

    priority: Annotated[_Rank | None, whole_number(_Rank | None)] = Field(
        default=None, description="Left out: that of the job that is retried"
    )
    run_at: NoTime = None

    @model_validator(mode="before")
    @classmethod
    def _keeps_the_task(cls, given: Any) -> Any:
        if others := [name for name in _OF_THE_TASK if isinstance(given, dict) and given.get(name)]:
            raise ValueError(f"a retry runs the task as it was: for another {' or '.join(others)}, start a run")
        return given


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
    priority: Priority = Field(
        default=USUAL_PRIORITY, description="Jobs with more of it begin before others of their organization"
    )
    run_at: NoTime = None
    schedule: NoSchedule = None
    edge_id: NoEdge = None

    def request(self) -> RunRequest:
        """The body as the use cases take it."""
        options = TaskOptions.model_validate(self.config.model_dump())
        return RunRequest(self.type, self.origin_id, self.target_id, options, self.edge_tags, self.priority)
