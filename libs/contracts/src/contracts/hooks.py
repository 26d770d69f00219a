"""Hooks: programs that a worker runs before and after a backup or a restore (decision 0049)."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from contracts.json_values import whole_number
from contracts.values import Value

LONGEST_NAME = 255
USUAL_SECONDS = 600
ON_FAILURE = "What a hook that fails does: `fail` the job (a restore point that was made stays), or `warn` in its log"
TIMEOUT = "Each hook is killed when it runs for longer"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_Seconds = Annotated[int, Field(ge=1, le=86_400, strict=True)]
HookSeconds = Annotated[_Seconds, whole_number(_Seconds)]
OnFailure = Literal["fail", "warn"]
HookPlace = Literal["pre_job", "post_job"]
# Described here and checked by the owner of what has hooks, together with all other fields.
HookName = Annotated[str, Field(json_schema_extra={"maxLength": LONGEST_NAME, "pattern": f"^({_NAME.pattern})?$"})]


class Hooks(Value):
    """What runs before and after a backup or a restore: names of files in the directory of the worker's operator."""

    pre_job: HookName | None = Field(
        default=None, description="File in the hooks directory of the worker that is run before the work begins"
    )
    post_job: HookName | None = Field(
        default=None, description="File that is run after the work, however it ended, once `pre_job` has completed"
    )
    on_failure: OnFailure = Field(default="fail", description=ON_FAILURE)
    timeout_seconds: HookSeconds = Field(default=USUAL_SECONDS, description=TIMEOUT)

    def named(self) -> Iterator[tuple[HookPlace, str]]:
        """The hooks that there are, in the order in which they run."""
        if self.pre_job:
            yield "pre_job", self.pre_job
        if self.post_job:
            yield "post_job", self.post_job

    def faults(self) -> Iterator[tuple[str, str]]:
        """The fields whose names cannot be used, and why, in words that do not quote them."""
        for place, name in self.named():
            if fault := hook_name_fault(name):
                yield place, fault


class HookOptions(Value):
    """Options of tasks that can have hooks."""

    hooks: Hooks | None = Field(
        default=None,
        description="backup, restore: what runs before and after it, in place of the hooks of its source (backup) or "
        "of what it goes to (restore); with neither `pre_job` nor `post_job`: nothing",
    )


def hook_name_fault(name: str) -> str | None:
    """Why a text cannot be the name of a hook; None when it can."""
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} characters"
    if not _NAME.fullmatch(name):
        return "must be the name of a file: letters, digits, dots, hyphens and underscores, with no dot at its start"
    return None
