"""What every restic child is given: where the repository is by argument, what opens it by environment."""

from dataclasses import dataclass
from pathlib import Path

from integrations.sdk.errors import PassphraseMissing
from integrations.sdk.locations import StoreLocation

from connector.engine.restic.memory_headroom import available_bytes

PROGRESS_PER_SECOND = 2


@dataclass(frozen=True, kw_only=True)
class ResticSettings:
    """How restic is run on this machine."""

    program: str = "restic"
    """The executable: a path, or a name to be looked up in `PATH`."""
    cache_dir: Path
    """Private to Cairn; whole caches are removed from it, least recently used first."""
    cache_bytes_max: int = 4 << 30
    nice: int = 5
    garbage_percent: int = 150
    """How much garbage a backup gathers before it collects it, in percent of what it keeps in memory (`GOGC` of Go).
    restic's own is 50, and it takes 100 for none given. The more, the faster: with 150 it takes up to two thirds more
    memory. 0, or where there is no memory to spare: restic's own."""
    plenty_bytes: int = 4 << 30
    """With less memory available a backup collects garbage as often as restic does by itself."""
    lock_patience_seconds: int = 300
    """How long other work on a repository is waited for."""
    open_patience_seconds: float = 20
    """How long a store that does not answer is tried when a repository is opened; later restic tries for 15 minutes."""
    away_patience_seconds: float = 300
    """How long a check waits for a store that went away, on one call. restic itself repeats each call for 15 minutes,
    and then goes on to the next one, of which a check may have thousands."""
    answer_patience_seconds: float = 2
    """The same, while somebody waits for the answer."""
    stop_grace_seconds: float = 5
    """How long one that was interrupted may take to leave the store; then it is killed, and its lock removed."""


def global_arguments(store: StoreLocation, settings: ResticSettings) -> list[str]:
    """Arguments that stand before the command. They hold no secret."""
    arguments = [settings.program, "--json", "--repo", store.address, "--cache-dir", str(settings.cache_dir)]
    arguments += ["--retry-lock", f"{settings.lock_patience_seconds}s"]
    for name, value in sorted(store.options.items()):
        arguments += ["--option", f"{name}={value}"]
    if store.insecure_tls:
        arguments.append("--insecure-tls")
    return arguments


def gc_variables(settings: ResticSettings) -> dict[str, str]:
    """Variables that let restic take more memory to be faster; none where less than `plenty_bytes` are available."""
    is_plenty = available_bytes() >= settings.plenty_bytes
    return {"GOGC": str(settings.garbage_percent)} if is_plenty and settings.garbage_percent else {}


def environment(store: StoreLocation) -> dict[str, str]:
    """Variables that open the store and its repository. Raises `PassphraseMissing`."""
    if not store.passphrase or "\0" in store.passphrase:
        raise PassphraseMissing
    return {
        **store.variables,
        **store.credentials,
        "RESTIC_PASSWORD": store.passphrase,
        "RESTIC_PROGRESS_FPS": str(PROGRESS_PER_SECOND),
    }
