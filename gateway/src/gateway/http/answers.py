"""What all answers share."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from contracts.messages.outcomes import Problem
from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema

from gateway.http.examples import JOB, RUN, example

V = TypeVar("V")
W = TypeVar("W")


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, always with milliseconds, so that times sort as text."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Stamp = Annotated[
    datetime,
    PlainSerializer(stamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T08:00:00.000Z"]}),
]
Absent = Field(default=None, exclude_if=lambda value: value is None)
"""Left out when there is none."""


class View(BaseModel):
    """Base of all answers."""

    # By name: fields like `class_` have an alias that is a keyword in Python.
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class PageView(View, Generic[V]):
    """A part of a listing. `total` counts all matches."""

    total: int
    items: list[V]


def page(total: int, items: Iterable[W]) -> PageView[W]:
    """Rows and how many there are in all."""
    return PageView[Any](total=total, items=list(items))


def whole(items: Sequence[W]) -> PageView[W]:
    """A listing that is not cut into pages."""
    return page(len(items), items)


class ProblemFieldView(View):
    """One field at fault."""

    field: str = Field(description="Parts joined by dots")
    detail: str


class ProblemView(View):
    """Why a request was refused or failed (RFC 9457). `detail` is for people, `code` for programs."""

    model_config = example(
        type="urn:cairn:problem:resource_not_found",
        title="Not found",
        status=404,
        detail="There is no such resource.",
        instance="/api/v1/inventories/1/resources/2",
        code="resource_not_found",
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="Path of the request")
    code: str = Field(description="Stable name of the problem")
    fields: list[ProblemFieldView] = Field(default=[], description="The fields at fault, if any")


class JobProblemView(View):
    """Why a job failed."""

    code: str
    detail: str


class OperationView(View):
    """A request that was not finished in time, or how it ended.

    `id` and `urn_id` are what the request's own answer would have said, so that a client may take one for the other.
    """

    model_config = example(
        id=RUN,
        operation_id="0198b1c2-0000-7000-8000-0000000000f2",
        status="succeeded",
        result={"id": RUN, "run_id": RUN, "job_id": JOB},
        problem=None,
    )

    id: str = Field(description="Id of what the request is about; of a creation: of the new object")
    urn_id: str | None = Field(
        default=None, exclude_if=lambda value: value is None, description="The same, when that is a resource"
    )
    operation_id: str = Field(description="What to poll")
    status: str = Field(description="`running`, `succeeded` or `failed`")
    result: dict[str, JsonValue] | None = Field(default=None, description="What came of it, e.g. the new object's id")
    problem: JobProblemView | None = None


def problem_view(problem: Problem | None) -> JobProblemView | None:
    """Why something failed, if it did."""
    return JobProblemView(code=problem.code, detail=problem.detail) if problem else None
