"""Bodies of requests for tests and benchmarks: what matters to the caller is named, the rest has a default."""

from typing import Any


def a_resource_body(urn: str = "urn:files", **changes: Any) -> dict[str, Any]:
    """A directory, named as the end of its URN unless said otherwise."""
    body = {
        "urn": urn,
        "name": urn.rpartition(":")[2],
        "class": "file-storage",
        "subclass": "posix",
        "service": "",
        "endpoints": [],
    }
    return body | changes


def a_bucket_body(urn: str = "urn:s3", *, endpoint: str, **changes: Any) -> dict[str, Any]:
    """A bucket behind an endpoint."""
    bucket = {"class": "object-storage", "subclass": "s3", "endpoints": [{"endpoint": endpoint}]}
    return a_resource_body(urn, **bucket, **changes)
