"""How long something is tried again, and after which pauses. tenacity keeps count."""

from collections.abc import Awaitable, Callable

from contracts.errors import TemporaryError
from contracts.values import Value
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from chassis.errors import Unavailable


class RetryPolicy(Value):
    """How long a message is tried again before it is given up."""

    first_pause_seconds: float = 0.05
    longest_pause_seconds: float = 5
    patience_seconds: float = 20
    patience_unavailable_seconds: float = 600

    def patience(self, error: BaseException | None) -> float:
        """Seconds to go on trying after this error. A server that is away is waited for much longer."""
        return self.patience_unavailable_seconds if isinstance(error, Unavailable) else self.patience_seconds

    def pause(self, failures: int, error: BaseException | None) -> float:
        """Seconds until the next try. They double, and are as many at least as the error asks for."""
        # No further power than is needed to reach any longest pause: a float has an end.
        seconds = min(self.first_pause_seconds * 2.0 ** min(failures - 1, 30), self.longest_pause_seconds)
        return max(seconds, error.retry_after_seconds) if isinstance(error, TemporaryError) else seconds

    def retrying(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]],
        on_failure: Callable[[BaseException], None],
        for_ever: bool = False,
    ) -> AsyncRetrying:
        """Calls what it is given until that raises no `TemporaryError`, or patience ends; raises the last error."""

        def is_over(state: RetryCallState) -> bool:
            return not for_ever and (state.seconds_since_start or 0) > self.patience(_error(state))

        def note(state: RetryCallState) -> None:
            if (error := _error(state)) is not None:
                on_failure(error)

        return AsyncRetrying(
            sleep=sleep,
            retry=retry_if_exception_type(TemporaryError),
            wait=lambda state: self.pause(state.attempt_number, _error(state)),
            stop=is_over,
            before_sleep=note,
            reraise=True,
        )


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
