"""Messages of the past are read by the models of today, and messages of today by the schemas of the past.

`golden/<type>.json` holds one realistic message of each version, as it was on Kafka. A new type comes with a new file;
a file that is there is never changed.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from contracts.documents import HOME, SCHEMAS
from contracts.envelope import Envelope, attributes, parse, to_body, to_headers
from contracts.messages.base import Message
from contracts.registry import MESSAGES
from jsonschema import Draft202012Validator

GOLDEN = Path(__file__).parent / "golden"


def golden(type_: str) -> dict[str, Any]:
    return dict(json.loads((GOLDEN / f"{type_}.json").read_text("utf-8")))


def read(type_: str) -> Envelope[Message]:
    """The golden message as a consumer of today understands it."""
    message = golden(type_)
    headers = [(name, value.encode()) for name, value in message["headers"].items()]
    found, data = attributes(headers, json.dumps(message["body"]).encode())
    return parse(MESSAGES[type_], found, data, received=datetime(2000, 1, 1, tzinfo=UTC))


def stored_schema(type_: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((HOME / SCHEMAS / f"{type_}.json").read_text("utf-8")))


def test_every_message_has_a_golden_one() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} >= MESSAGES.keys()


@pytest.mark.parametrize("type_", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_yesterdays_message_is_read_today(type_: str) -> None:
    envelope = read(type_)
    message = golden(type_)
    assert type(envelope.data) is MESSAGES[type_]
    assert envelope.subject == message["headers"]["ce_subject"] == envelope.data.key
    assert contains(json.loads(to_body(envelope)), message["body"])


@pytest.mark.parametrize("type_", sorted(MESSAGES))
def test_todays_message_is_read_by_the_stored_schema(type_: str) -> None:
    written = json.loads(to_body(read(type_)))
    assert [e.message for e in stored_schema(type_).iter_errors(written)] == []


@pytest.mark.parametrize("type_", sorted(MESSAGES))
def test_headers_are_written_as_they_were(type_: str) -> None:
    written = {name: value.decode() for name, value in to_headers(read(type_))}
    assert written.items() <= golden(type_)["headers"].items()


def contains(whole: Any, part: Any) -> bool:
    """Whether `whole` is `part`, but for fields added in objects."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and contains(whole[k], v) for k, v in part.items())
    if isinstance(part, list):
        same = isinstance(whole, list) and len(whole) == len(part)
        return same and all(contains(w, p) for w, p in zip(whole, part, strict=True))
    return bool(whole == part)
