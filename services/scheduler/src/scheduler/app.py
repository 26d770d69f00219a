"""The composition root: what the scheduler consists of."""

from chassis.ids import utc_now
from chassis.runtime.service_definition import ServiceDefinition

from scheduler.jobs.api import build_api
from scheduler.jobs.domain.retention import kept_for
from scheduler.jobs.handlers import ANNOUNCES, LISTENS_TO, register_handlers
from scheduler.jobs.store import open_store
from scheduler.jobs.worker import watch_jobs
from scheduler.settings import Settings

SCHEDULER = ServiceDefinition(
    name="scheduler",
    settings=Settings,
    open_store=lambda runtime, settings: open_store(runtime, kept=kept_for(settings.job_retention_days)),
    register_handlers=lambda dispatcher, store, _: register_handlers(dispatcher, store, utc_now),
    build_api=build_api,
    listens_to=LISTENS_TO,
    announces=ANNOUNCES,
    run_background=lambda runtime, store, settings: watch_jobs(
        runtime.background, store, runtime.publisher, utc_now, settings
    ),
)
