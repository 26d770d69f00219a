"""What an outage of a store means to a job: from the start it fails at once, later it is waited for."""

from contracts.errors import TemporaryError
from contracts.messages.assignment import App

from connector.engine.errors import StoreUnreachable
from connector.jobs.definition import Job
from connector.store_state.identity import require_same_store


async def require_own_store(job: Job, store: App) -> None:
    """Make sure that a store of a job still is what it was. Raises like `require_same_store`.

    Of a store that is away from the start somebody hears at once. Where attempts came before, it is waited for: they
    may have ended with this very outage, and it raises a `TemporaryError`.
    """
    try:
        await require_same_store(job.context, job.org, store)
    except StoreUnreachable as error:
        raise error if job.lease.number == 1 else outage(error) from None


def outage(error: StoreUnreachable) -> TemporaryError:
    """The same as what lets a job go on with another attempt: copies and checks run for days, and networks fail."""
    return TemporaryError(error.code, error.detail)
