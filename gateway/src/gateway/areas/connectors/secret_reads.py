"""Who read which secrets: written down before they are handed out."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from contracts.messages.assignment import App

from gateway.access.principal import Principal
from gateway.audit_log.entries import READ_SECRETS, Actor, AuditEntry, Subject
from gateway.audit_log.log import AuditLog

# One entry stands for all that a caller reads of a connector, as it is then, for so long: a page that refreshes
# itself would else write an entry every few seconds.
WINDOW_SECONDS = 600.0
_CONNECTORS_AN_ENTRY = 100
_REMEMBERED = 100_000
Place = Literal["organization", "connector"]


class SecretReads:
    """Writes reads of secrets to the audit log, each connector and caller once in a window."""

    def __init__(self, audit: AuditLog, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._clock = clock
        self._written: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def note(self, who: Principal, apps: Sequence[App], *, of: Place) -> None:
        """Write down that a caller is about to read the secrets of these apps.

        `of`: what was asked for. Raises `Unavailable` (`audit_unavailable`): then they must not be handed out.
        """
        unread = [app for app in apps if _holds_secrets(app) and self._is_news(who, app)]
        for some in _cut(unread):
            ids = [app.id for app in some]
            subject = Subject(kind=of, id=ids[0] if of == "connector" else who.organization_id)
            entry = AuditEntry(
                organization_id=who.organization_id,
                actor=Actor(account_id=who.account_id, via="badge"),
                action=READ_SECRETS,
                subject=subject,
                details={"connectors": list(ids), "window_seconds": int(WINDOW_SECONDS)},
            )
            await self._audit.record(entry)
            self._remember(who, some)

    def _is_news(self, who: Principal, app: App) -> bool:
        written = self._written.get(_read(who, app))
        return written is None or self._clock() - written >= WINDOW_SECONDS

    def _remember(self, who: Principal, apps: Sequence[App]) -> None:
        for app in apps:
            self._written[_read(who, app)] = self._clock()
            self._written.move_to_end(_read(who, app))
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)


def _read(who: Principal, app: App) -> tuple[str, ...]:
    # With the revision: a secret that was changed since is another one, and reading it is news.
    return who.organization_id, who.account_id, who.key_id or "", app.id, str(app.revision)


def _holds_secrets(app: App) -> bool:
    return any(value.sealed is not None for value in app.fields.values())


def _cut(apps: Sequence[App]) -> Iterator[Sequence[App]]:
    for start in range(0, len(apps), _CONNECTORS_AN_ENTRY):
        yield apps[start : start + _CONNECTORS_AN_ENTRY]
