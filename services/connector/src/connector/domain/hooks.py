"""Which hooks a job has, what they see of their surroundings, and what is said of their end (decision 0049)."""

from collections.abc import Mapping, Sequence

from contracts.errors import PermanentError
from contracts.hooks import HookPlace, Hooks
from contracts.tasks import Task
from contracts.values import JobId

from connector.domain.texts import keepable

INHERITED = ("PATH", "HOME", "LANG", "TZ")
"""What a hook gets of the worker's environment: no key, no secret, no proxy with a password in it."""
LINES_LOGGED = 100
TAIL_CHARACTERS = 500
NOTHING = Hooks()


def choose_hooks(task: Task, of_app: Hooks | None) -> Hooks:
    """The task's own hooks as a whole, else those of its app."""
    return task.options.hooks or of_app or NOTHING


def environment_of(
    place: HookPlace, *, job_id: JobId, task: Task, traceparent: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """All that a hook has in its environment; it is there under the names of the product, too."""
    inherited = {name: environ[name] for name in INHERITED if name in environ}
    traced = {"TRACEPARENT": traceparent} if traceparent else {}
    ours = {"CAIRN_HOOK": place, "CAIRN_JOB_ID": job_id, "CAIRN_TASK_TYPE": task.type}
    return {**inherited, **traced, **ours, "PLAKAR_HOOK": place, "PLAKAR_WORK_ID": job_id, "PLAKAR_OP": task.type}


def output_lines(tail: bytes, left_out_bytes: int) -> Sequence[str]:
    """The last lines of a hook's output, which may be anything, as they can be kept."""
    lines = [keepable(line) for line in tail.decode("utf-8", "backslashreplace").splitlines()]
    is_cut = left_out_bytes > 0 or len(lines) > LINES_LOGGED
    return [*(["(earlier output is left out)"] if is_cut else []), *lines[-LINES_LOGGED:]]


def hook_failed(place: HookPlace, name: str, *, how: str, lines: Sequence[str]) -> PermanentError:
    """The error of a hook that did not succeed, with the end of its output."""
    output = " / ".join(line for line in lines if line.strip())[-TAIL_CHARACTERS:]
    said = f" The end of its output: {output}" if output else " It wrote nothing."
    return PermanentError("hook_failed", f"The hook {place} ({name}) {how}.{said}")
