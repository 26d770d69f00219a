"""Examples in the OpenAPI document, and the ids that they share."""

from typing import Any

from pydantic import ConfigDict

ORGANIZATION = "0198b1c2-0000-7000-8000-000000000001"
ACCOUNT = "0198b1c2-0000-7000-8000-000000000002"
INVENTORY = "0198b1c2-0000-7000-8000-000000000009"
RESOURCE = "0198b1c2-0000-7000-8000-00000000000a"
CONNECTOR = "0198b1c2-0000-7000-8000-00000000000b"
BUNDLE = "0198b1c2-0000-7000-8000-00000000000c"
# That of `fs`, as it is part of its manifest: the example can be sent as it is.
INTEGRATION = "0b9a4f1e-6c1d-5a53-9d0a-3f1f6f3f0001"
RUN = "0198b1c2-0000-7000-8000-0000000000f0"
JOB = "0198b1c2-0000-7000-8000-0000000000f1"
OPERATION = "0198b1c2-0000-7000-8000-0000000000f2"


def example(**shown: Any) -> ConfigDict:
    """The configuration of a request or an answer with an example."""
    return ConfigDict(json_schema_extra={"examples": [shown]})
