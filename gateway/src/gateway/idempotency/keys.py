"""What a repeated `Idempotency-Key` means."""

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.ids import derived_id, new_id, utc_now
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.supervision import LoopSupervisor
from contracts.errors import Invalid, PermanentError

from gateway.access.principal import Principal
from gateway.idempotency.intents import KEY_PATTERN, LONGEST_KEY, Intent
from gateway.idempotency.store import KeyStore, RememberedKey

log = logging.getLogger(__name__)
FORGET_EVERY_SECONDS = 3600.0


class IdempotencyKeys:
    """Gives a repeated request the ids that the first one had."""

    def __init__(self, store: KeyStore, session_token_key: bytes) -> None:
        self._store = store
        # Bodies may hold secrets, so only a keyed hash of them is kept: without the key nobody can try guesses on it.
        self._fingerprint_key = hashlib.sha256(b"cairn request fingerprints" + session_token_key).digest()

    async def intent(self, who: Principal, *, route: str, key: str | None, body: bytes) -> Intent:
        """What a request wants done: something new, or with a key that was used before, the same as then.

        Raises `PermanentError` `idempotency_key_reused` when the key came with another body before.
        """
        if key is None:
            # Nobody can repeat a request without a key, so nothing of it is kept.
            return Intent(new_id())
        if len(key) > LONGEST_KEY or not re.fullmatch(KEY_PATTERN, key):
            words = f"An Idempotency-Key has 1 to {LONGEST_KEY} characters, and no control characters."
            raise Invalid("idempotency_key_invalid", words)
        fingerprint = hmac.digest(self._fingerprint_key, body, hashlib.sha256).hex()
        # With the route: the same key on another path is another request.
        claim = derived_id(who.organization_id, route, key)
        found = await self._store.remember(who.organization_id, claim, RememberedKey(fingerprint, new_id()))
        if found.fingerprint != fingerprint:
            raise PermanentError(
                "idempotency_key_reused", "This Idempotency-Key was used before for a request with another body."
            )
        return Intent(found.command_id, key)

    @asynccontextmanager
    async def running(self, background: LoopSupervisor) -> AsyncIterator["IdempotencyKeys"]:
        """Forget old keys now and then."""
        async with background.running("old idempotency keys", self._forget_forever):
            yield self

    async def _forget_forever(self) -> None:
        while True:
            try:
                await self._store.forget(utc_now())
            except PyMongoError as error:
                log.warning("old idempotency keys not forgotten", extra={"reason": type(error).__name__})
            await asyncio.sleep(FORGET_EVERY_SECONDS)
