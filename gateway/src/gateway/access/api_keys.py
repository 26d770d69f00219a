"""API keys: how they look, and what is kept of them."""

import hashlib

# Clients know an API key by this prefix.
API_KEY_PREFIX = "pcp_ak_"


def digest_of(api_key: str) -> str:
    """What is kept of an API key. Its 256 random bits need no slow hash."""
    return hashlib.sha256(api_key.encode()).hexdigest()
