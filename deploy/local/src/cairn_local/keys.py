"""The keys and passwords that a platform makes for itself on its first start."""

import base64
import secrets
from pathlib import Path

from cairn_local.environment import KEY_VARIABLES
from cairn_local.errors import LocalError
from cairn_local.paths import StateDir, write_private

KEY_BYTES = 32
MASTER = "master"


def ensure_keys(state: StateDir) -> None:
    """Make each key that is missing: 32 random bytes as base64 text, in a file that only its owner can read.

    LocalError when the master key is missing beside data that were written under one.
    """
    for name in KEY_VARIABLES:
        path = state.key(name)
        if not path.exists():
            if name == MASTER:
                _refuse_beside_data(state)
            # As text: a file that somebody copies by hand, or pastes into a secret store, stays what it was.
            key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n"
            write_private(path, key, durable=True)


def ensure_password(state: StateDir, server: str) -> Path:
    """The file with the password of a server, made unless it is there: 256 random bits, one line."""
    path = state.password(server)
    if not path.exists():
        write_private(path, secrets.token_urlsafe(KEY_BYTES) + "\n", durable=True)
    return path


def _refuse_beside_data(state: StateDir) -> None:
    # Credentials too: the database may be elsewhere (CAIRN_MONGODB_URI), and then there is no data here.
    data = (state.data / "postgres", state.data / "mongod", state.credentials)
    if found := next((path for path in data if path.exists()), None):
        raise LocalError(
            f"The master key {state.key(MASTER)} is missing, though there is {found}: "
            "with a new key, no stored secret could be opened again.",
            hint=f"Put the key back, or move {state.root} away to begin anew.",
        )
