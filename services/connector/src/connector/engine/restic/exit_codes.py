"""What restic's exit codes and words mean. Codes: restic's manual, "Scripting"; words: restic 0.17 to 0.19."""

import re
from collections.abc import Callable
from typing import NamedTuple

from integrations.sdk.errors import PassphraseWrong, WorkFailed

from connector.engine.errors import (
    EngineFailed,
    EngineKilled,
    PatternInvalid,
    RootUnreadable,
    SnapshotMissing,
    SourceEmpty,
    StoreFull,
    StoreLocked,
    StoreNotInitialized,
    StoreRefused,
    StoreUnreachable,
    TlsMisconfigured,
)

CRASHED = 2
INCOMPLETE = 3
NO_REPOSITORY = 10
LOCKED = 11
WRONG_PASSPHRASE = 12
INTERRUPTED = 130

_CODES: dict[int, Callable[[], WorkFailed]] = {
    NO_REPOSITORY: StoreNotInitialized,
    WRONG_PASSPHRASE: PassphraseWrong,
}
_REFUSED = (
    "request signature we calculated",
    "signaturedoesnotmatch",
    "access key id you provided does not exist",
    "invalidaccesskeyid",
    "access denied",
    "accessdenied",
    "403 forbidden",
    "permission denied",
    "operation not permitted",
    "read-only file system",
)
_NO_BUCKET = ("bucket does not exist", "nosuchbucket")
_PLAIN_HTTP = ("server gave http response to https client", "first record does not look like a tls handshake")
_TLS_ONLY = ("http request to an https server",)
_NEVER_REACHABLE = ("x509:", "tls:", *_PLAIN_HTTP, *_TLS_ONLY)
_AWAY = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "network is unreachable",
    "no route to host",
    "connection reset",
    "deadline exceeded",
    "server misbehaving",
)
_UNREACHABLE = (*_AWAY, "unexpected eof")
_RETRY = re.compile(r"(?P<call>\w+\((?P<what>.*?)\)) (?:returned error|failed), retrying after [^:]+: (?P<reason>.*)")
_RECOVERED = re.compile(r"(?P<call>\w+\(.*?\)) operation successful after \d+ retries")
_GIVEN_UP = re.compile(r"(?P<call>\w+\(<.*?\)) failed: (?P<reason>.*)")
_LOCKED_BY = re.compile(r"locked (?:exclusively )?by PID (?P<pid>\d+) on (?P<host>\S+) by (?P<user>\S*)")
_LOCKED_AT = re.compile(r"lock was created at (?P<at>[\d-]+ [\d:]+)")
_LOCK_ID = re.compile(r"storage ID (?P<id>[0-9a-f]+)")
_NOT_A_SNAPSHOT = re.compile(r"failed to find snapshot: .*?(?:prefix \"|snapshot )(?P<id>[0-9a-f]+)")
_ROOT = re.compile(r"unable to save snapshot: .*readdirnames.*: \S+ \.: (?P<why>.*)")
_PATTERNS = re.compile(r"invalid pattern\(s\) provided:\s*(?P<patterns>.*)", re.DOTALL)


class BucketMissing(StoreNotInitialized):
    """Not even the bucket is there."""


class Retry(NamedTuple):
    """restic could not do something and will try again."""

    call: str
    opening: bool
    """Whether it was about to open the repository, so that nothing has been done yet."""
    reason: str


class RetriesEnded(NamedTuple):
    """A call that restic repeats no more."""

    call: str
    reason: str
    """Why it failed in the end; empty: it did not."""


def read_retry(line: str) -> Retry | None:
    """What a line says about a failed call to the store that restic repeats, if it does."""
    if found := _RETRY.match(line):
        return Retry(found["call"], found["what"].startswith(("<config/", "<key/")), found["reason"])
    return None


def read_end_of_retries(line: str) -> RetriesEnded | None:
    """What a line says about a call that restic repeats no more, if it does."""
    if found := _RECOVERED.match(line):
        return RetriesEnded(found["call"], "")
    if found := _GIVEN_UP.match(line):
        return RetriesEnded(found["call"], found["reason"])
    return None


def error_of_message(reason: str) -> WorkFailed | None:
    """The error behind a store's words; None when they are not known."""
    words = reason.lower()
    if _has(words, _NO_BUCKET):
        return BucketMissing()
    if _has(words, _REFUSED):
        return StoreRefused(reason)
    if "no space left" in words or "quota exceeded" in words:
        return StoreFull()
    if _has(words, (*_PLAIN_HTTP, *_TLS_ONLY)):
        return TlsMisconfigured(speaks_tls=_has(words, _TLS_ONLY))
    if _has(words, (*_NEVER_REACHABLE, *_UNREACHABLE)):
        return StoreUnreachable(reason)
    return None


def is_away(reason: str) -> bool:
    """Whether the store, or the way to it, is gone: certainly not a single file of it."""
    # Not "unexpected EOF": a server that lists a file which it cannot read breaks its answer off, each time.
    return _has(reason.lower(), _AWAY)


def is_final(reason: str) -> bool:
    """Whether trying again cannot help."""
    return _has(reason.lower(), (*_NO_BUCKET, *_REFUSED, *_NEVER_REACHABLE))


def error_of_exit(what: str, exit_code: int, *, words: str, last_retry: str) -> WorkFailed:
    """The error behind a run that ended badly, and that we did not stop; `words` are restic's last ones."""
    # A list of cases, in this order: a code is certain and comes first; then what restic says of itself, whose words no
    # store has; last the words of the store, which restic passes on and which may be about anything.
    if exit_code < 0 or exit_code in (CRASHED, INTERRUPTED):
        return EngineKilled(what, _ending(exit_code))
    if exit_code == LOCKED:
        lock = _LOCK_ID.search(words)
        return StoreLocked(_holder(words), lock_id=lock["id"] if lock else "")
    if exit_code in _CODES:
        return _CODES[exit_code]()
    message = words.removeprefix("Fatal: ").removeprefix("Fatal: ").strip()
    if found := _NOT_A_SNAPSHOT.search(message):
        return SnapshotMissing(found["id"])
    if found := _PATTERNS.search(message):
        return PatternInvalid(", ".join(found["patterns"].split("\n")))
    if found := _ROOT.search(message):
        return RootUnreadable(found["why"])
    if "snapshot is empty" in message:
        return SourceEmpty()
    return (
        error_of_message(message) or error_of_message(last_retry) or EngineFailed(what, message or _ending(exit_code))
    )


def _holder(words: str) -> str:
    """Who holds a lock, as restic says it; empty where it does not."""
    found, at = _LOCKED_BY.search(words), _LOCKED_AT.search(words)
    if found is None:
        return ""
    since = f" since {at['at']}" if at else ""
    return f"process {found['pid']} of {found['user'] or 'somebody'} on the host {found['host']}{since}"


def _ending(exit_code: int) -> str:
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def _has(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)
