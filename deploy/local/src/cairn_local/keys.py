"""The keys that a platform makes for itself on its first start."""

import base64
import secrets

from cairn_local.environment import KEY_VARIABLES
from cairn_local.paths import StateDir, write_private

KEY_BYTES = 32


def ensure_keys(state: StateDir) -> None:
    """Make each key that is missing: 32 random bytes as base64 text, in a file that only its owner can read."""
    for name in KEY_VARIABLES:
        path = state.key(name)
        if not path.exists():
            write_private(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
