"""Who listens to the live stream of this process, and how many may."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from chassis.runtime.settings import read_key
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import Throttled
from contracts.values import OrganizationId

from gateway.access.principal import Principal
from gateway.areas.stream.catch_up import CatchUp
from gateway.areas.stream.channel import Channel, Happening
from gateway.areas.stream.events import happening_of
from gateway.areas.stream.feed import TOPICS, Feed, TopicNumbers, following
from gateway.areas.stream.listener import Listener, Rhythm, Wanted
from gateway.areas.stream.positions import EventIds, Positions
from gateway.settings import Settings

RETRY_AFTER_SECONDS = 30.0
PastOf = Callable[[OrganizationId, Channel, Positions], AsyncGenerator[Happening | None, None]]
"""See `CatchUp.past`."""


@dataclass(frozen=True)
class StreamLimits:
    """How many streams there may be at once in this process, and for how long one may take nothing."""

    of_organization: int = 2000
    of_credential: int = 2000
    stall_seconds: float = 30.0


class Streams:
    """The listeners of this process."""

    def __init__(self, feed: Feed, past: PastOf, ids: EventIds, *, rhythm: Rhythm, limits: StreamLimits) -> None:
        self.limits = limits
        self._feed = feed
        self._past = past
        self._ids = ids
        self._rhythm = rhythm
        self._listeners: dict[Listener, tuple[OrganizationId, str]] = {}
        self._counts: Counter[str] = Counter()

    def open(
        self,
        who: Principal,
        wanted: Wanted,
        *,
        last_event_id: str | None,
        still_allowed: Callable[[], Awaitable[object]],
    ) -> Listener:
        """A listener, which is in its place from now on; it must be closed with `leave`.

        Raises `Invalid` for an id that was not given out here, and `Throttled` where there are too many listeners.
        """
        resumed = self._ids.read(last_event_id) if last_event_id else None
        credential = f"credential {who.key_id or who.account_id}"
        self._check(who, credential)
        listener = Listener(
            feed=self._feed,
            channel=self._feed.channel(who.organization_id),
            ids=self._ids,
            wanted=wanted,
            rhythm=self._rhythm,
            past=partial(self._past, who.organization_id),
            still_allowed=still_allowed,
            resumed=resumed,
        )
        self._listeners[listener] = who.organization_id, credential
        self._counts.update((who.organization_id, credential))
        return listener

    def _check(self, who: Principal, credential: str) -> None:
        limits = {who.organization_id: self.limits.of_organization, credential: self.limits.of_credential}
        if any(self._counts[of] >= most for of, most in limits.items()):
            detail = "Too many streams are open with this credential or in this organization; close some first."
            raise Throttled("too_many_streams", detail, retry_after_seconds=RETRY_AFTER_SECONDS)

    def leave(self, listener: Listener) -> None:
        """A listener is gone."""
        found = self._listeners.pop(listener, None)
        if found is None:
            return
        organization_id, credential = found
        listener.channel.listening.discard(listener.news)
        for of in (organization_id, credential):
            self._counts[of] -= 1
            if not self._counts[of]:
                del self._counts[of]
        self._feed.left(organization_id)

    def stop(self) -> None:
        """Have all listeners say goodbye, as the process stops."""
        for listener in self._listeners:
            listener.is_stopping = True
            listener.news.set()


@asynccontextmanager
async def open_streams(settings: Settings, background: LoopSupervisor, *, service: str) -> AsyncIterator[Streams]:
    """The live stream of this process, which hears everything from now on."""
    ids = EventIds(read_key(settings.session_token_key_file))
    feed = Feed(TopicNumbers([settings.on_kafka(topic) for topic in TOPICS]), ids)
    streams = Streams(
        feed,
        CatchUp(feed, settings, happening_of, service=service).past,
        ids,
        rhythm=Rhythm(settings.stream_heartbeat_seconds, settings.stream_rights_seconds),
        limits=StreamLimits(settings.streams_per_organization, settings.streams_per_credential),
    )
    async with following(feed, settings, background, service=service):
        yield streams
