"""Choosing ports on the loopback address and remembering them."""

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cairn_local.errors import LocalError
from cairn_local.paths import write_private

LOOPBACK = "127.0.0.1"
# Below the ports that systems hand to outgoing connections: one of those could hold our port when a server restarts.
OWN_RANGE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do: connections of a former server that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_ports(
    names: list[str], remembered: Mapping[str, int], *, usual: Mapping[str, int] = MappingProxyType({})
) -> dict[str, int]:
    """A free port for each name: the usual one if it is free, else the remembered one, else any."""
    chosen: dict[str, int] = {}
    for name in names:
        preferred = [usual.get(name), remembered.get(name)]
        taken = set(chosen.values()) | set(remembered.values())
        found = next((port for port in preferred if port and port not in chosen.values() and is_free(port)), None)
        chosen[name] = found or _any_free(taken)
    return chosen


def load_ports(path: Path) -> dict[str, int]:
    """The remembered ports; none when there is no readable list."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): int(port) for name, port in content.items()} if isinstance(content, dict) else {}


def remember_ports(path: Path, names: list[str], *, usual: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
    """Choose ports for `names` and keep them, beside those of other names, in the file at `path`."""
    remembered = load_ports(path)
    chosen = choose_ports(names, remembered, usual=usual)
    write_private(path, json.dumps(remembered | chosen, indent=2))
    return chosen


def _any_free(taken: set[int]) -> int:
    candidates = (random.choice(OWN_RANGE) for _ in range(10 * len(OWN_RANGE)))
    found = next((port for port in candidates if port not in taken and is_free(port)), None)
    if found is None:
        raise LocalError(f"No port between {OWN_RANGE[0]} and {OWN_RANGE[-1]} is free.")
    return found
