"""Runs what a job has before and after it (decision 0049)."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

from chassis.subprocesses.bounded_programs import Ended, Program, run_program
from chassis.telemetry.tracing import current_trace, span
from contracts.errors import CairnError, PermanentError
from contracts.hooks import HookPlace, Hooks
from contracts.tasks import TASK_KINDS

from connector.domain.hooks import choose_hooks, environment_of, hook_failed, output_lines
from connector.jobs.definition import Job, JobOutcome
from connector.jobs.hook_files import find_hook
from connector.queue.lease import LeaseLost

log = logging.getLogger(__name__)
Run = Callable[[Job], Awaitable[JobOutcome]]


async def run_with_hooks(job: Job, run: Run) -> JobOutcome:
    """What a job came to, with its hooks run before and after it.

    `pre_job` runs with each attempt; `post_job` once it has completed, however the attempt ended, unless the worker
    stops or has lost its lease: then the next attempt begins with `pre_job` again. Raises what `run` raises, why a hook
    cannot be run, or `hook_failed` of a `pre_job`.
    """
    hooks = await _hooks_of(job)
    if not any(hooks.named()):
        return await run(job)
    files = await asyncio.to_thread(_files_of, job, hooks)
    if "pre_job" in files and not await _prepared(job, hooks, files["pre_job"]):
        # Canceled before it had completed: the work ends by itself, as it would without hooks.
        return await run(job)
    if "post_job" not in files:
        return await run(job)
    return await _followed(job, run, hooks, files["post_job"])


async def _hooks_of(job: Job) -> Hooks:
    task = job.request.task
    owner = TASK_KINDS[task.type].hooks_of
    if owner is None or task.options.dry_run:
        # A dry run changes nothing, and what a hook does nobody knows.
        return Hooks()
    app = None if task.options.hooks else await job.app(getattr(task, owner))
    return choose_hooks(task, app.hooks if app else None)


def _files_of(job: Job, hooks: Hooks) -> Mapping[HookPlace, Path]:
    # Both before anything is done: a missing `post_job` must not be noticed when it is needed.
    return {place: find_hook(job.context.settings.hooks_dir, place, name) for place, name in hooks.named()}


async def _prepared(job: Job, hooks: Hooks, file: Path) -> bool:
    """Run `pre_job`; False when the job was canceled before it had completed. Raises `hook_failed`."""
    if job.cancel.is_set():
        return False
    try:
        await _run_hook(job, hooks, "pre_job", file)
    except PermanentError as error:
        if job.cancel.is_set():
            return False
        if hooks.on_failure == "fail":
            raise
        job.reporter.log("warning", error.detail)
    return True


async def _followed(job: Job, run: Run, hooks: Hooks, file: Path) -> JobOutcome:
    try:
        outcome = await run(job)
    except LeaseLost:
        raise
    except Exception:
        # By the clock: without a lease the next attempt may have run `pre_job` by now, which this would undo.
        with suppress(LeaseLost):
            job.lease.check()
            _note(job, hooks, await _concluded(job, hooks, file))
        raise
    failure = await _concluded(job, hooks, file)
    if failure and outcome.problem is None and hooks.on_failure == "fail":
        return JobOutcome(outcome.result, failure)
    # What the job itself failed with says more than its hook.
    _note(job, hooks, failure)
    return outcome


async def _concluded(job: Job, hooks: Hooks, file: Path) -> CairnError | None:
    """Run `post_job`; what went wrong with it."""
    try:
        await _run_hook(job, hooks, "post_job", file)
    except PermanentError as error:
        return error
    return None


def _note(job: Job, hooks: Hooks, failure: CairnError | None) -> None:
    if failure is not None:
        job.reporter.log("error" if hooks.on_failure == "fail" else "warning", failure.detail)


async def _run_hook(job: Job, hooks: Hooks, place: HookPlace, file: Path) -> None:
    """Run one hook and log the end of its output. Raises `hook_failed`."""
    # A hook that follows a cancellation undoes what was done before it: only a later one would stop it, and none comes.
    cancel = asyncio.Event() if job.cancel.is_set() else job.cancel
    job.reporter.enter(place)
    job.reporter.log("info", f"The hook {place} ({file.name}) begins.")
    began = monotonic()
    try:
        with span(f"hook.{place}"):
            ended = await run_program(_program(job, hooks, place, file), cancel=cancel)
    except OSError as error:
        raise hook_failed(place, file.name, how=f"could not be started: {error.strerror}", lines=()) from None
    lines, how = output_lines(ended.tail, ended.left_out_bytes), _failure(ended, hooks)
    for line in lines:
        job.reporter.log("info", f"{file.name}: {line}")
    if how is not None:
        log.warning("hook failed", extra={"job": job.id, "hook": place, "exit_code": ended.exit_code})
        raise hook_failed(place, file.name, how=how, lines=lines)
    job.reporter.log("info", f"The hook {place} ({file.name}) has ended after {monotonic() - began:.1f} s.")


def _program(job: Job, hooks: Hooks, place: HookPlace, file: Path) -> Program:
    traceparent = current_trace().traceparent or ""
    environment = environment_of(
        place, job_id=job.id, task=job.request.task, traceparent=traceparent, environ=os.environ
    )
    return Program(arguments=(str(file),), environment=environment, timeout_seconds=hooks.timeout_seconds)


def _failure(ended: Ended, hooks: Hooks) -> str | None:
    """What went wrong, after the name of the hook; None when nothing did."""
    if ended.how == "timeout":
        return f"was killed, as it ran for longer than {hooks.timeout_seconds} s"
    if ended.how == "canceled":
        return "was killed, as the job was canceled"
    return f"failed with the exit code {ended.exit_code}" if ended.exit_code else None
