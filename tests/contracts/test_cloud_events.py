"""CloudEvents 1.0 on Kafka: binary and structured mode, and what is no CloudEvent."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from contracts.envelope import Envelope, MalformedMessage, attributes, parse, to_body, to_headers
from contracts.messages.catalog import InventoryRemoved
from contracts.values import InventoryId, OrganizationId
from hypothesis import given
from hypothesis import strategies as st

RECEIVED = datetime(2026, 11, 23, 12, tzinfo=UTC)
MESSAGE = InventoryRemoved(organization_id=OrganizationId("org"), inventory_id=InventoryId("inv"))
BODY = b'{"organization_id": "org", "inventory_id": "inv"}'
REQUIRED = {"ce_id": b"1", "ce_source": b"/s", "ce_type": InventoryRemoved.TYPE.encode(), "ce_specversion": b"1.0"}


def an_envelope(**changes: Any) -> Envelope[InventoryRemoved]:
    facts: dict[str, Any] = {
        "id": "1",
        "source": "/cairn/catalog",
        "type": InventoryRemoved.TYPE,
        "subject": "inv",
        "time": datetime(2026, 11, 23, 8, 15, 30, 123456, tzinfo=UTC),
        "data": MESSAGE,
        "correlation_id": "c",
        "causation_id": "b",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "vendor=1",
    }
    return Envelope[InventoryRemoved](**facts | changes)


def receive(headers: dict[str, bytes], body: bytes = BODY) -> Envelope[InventoryRemoved]:
    found, data = attributes(headers.items(), body)
    return parse(InventoryRemoved, found, data, received=RECEIVED)


def structured(**changes: Any) -> bytes:
    event = {"id": "1", "source": "/s", "specversion": "1.0", "type": InventoryRemoved.TYPE, "data": json.loads(BODY)}
    return json.dumps({k: v for k, v in (event | changes).items() if v is not None}).encode()


def test_what_is_written_is_read_again() -> None:
    envelope = an_envelope()
    assert receive(dict(to_headers(envelope)), to_body(envelope)) == envelope


def test_binary_mode_has_the_names_of_the_kafka_binding() -> None:
    headers = dict(to_headers(an_envelope()))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_time"] == b"2026-11-23T08:15:30.123Z"
    assert headers["content-type"] == b"application/json"
    assert "ce_datacontenttype" not in headers
    assert "traceparent" not in headers


def test_what_is_optional_may_be_missing() -> None:
    envelope = receive(REQUIRED)
    assert (envelope.subject, envelope.correlation_id, envelope.time) == ("inv", "1", RECEIVED)
    assert (envelope.causation_id, envelope.traceparent) == (None, None)


def test_header_names_are_read_whatever_their_case() -> None:
    assert receive({name.upper(): value for name, value in REQUIRED.items()}).id == "1"


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, b""])
def test_a_required_attribute_must_be_there(name: str, value: bytes | None) -> None:
    headers = {k: v for k, v in {**REQUIRED, name: value}.items() if v is not None}
    with pytest.raises(MalformedMessage, match=f"missing: {name.removeprefix('ce_')}"):
        receive(headers)


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents+json; charset=UTF-8", "application/cloudevents+json", "APPLICATION/CloudEvents+JSON"],
)
def test_structured_mode_is_read(content_type: str) -> None:
    body = structured(time="2026-11-23T08:15:30Z", subject="it", correlationid="c", traceparent="00-a-b-01")
    envelope = receive({"content-type": content_type.encode()}, body)
    assert (envelope.id, envelope.source, envelope.subject, envelope.data) == ("1", "/s", "it", MESSAGE)
    assert (envelope.correlation_id, envelope.traceparent) == ("c", "00-a-b-01")


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type", "data"])
def test_structured_mode_must_be_whole(name: str) -> None:
    with pytest.raises(MalformedMessage):
        receive({"content-type": b"application/cloudevents+json"}, structured(**{name: None}))


STRUCTURED = {"content-type": b"application/cloudevents+json"}


def test_in_structured_mode_null_is_not_there() -> None:
    names = ("time", "subject", "correlationid", "causationid", "traceparent", "tracestate", "data_base64")
    body = structured()[:-1] + b"".join(b', "%s": null' % name.encode() for name in names) + b"}"
    envelope = receive(STRUCTURED, body)
    assert (envelope.subject, envelope.correlation_id, envelope.time) == ("inv", "1", RECEIVED)
    assert (envelope.causation_id, envelope.traceparent, envelope.tracestate) == (None, None, None)


def test_in_structured_mode_data_may_be_base64() -> None:
    assert receive(STRUCTURED, structured(data=None, data_base64=base64.b64encode(BODY).decode())).data == MESSAGE


@pytest.mark.parametrize("data", ["%%%", "ü", 1, ["e30="], {}, "e30=", base64.b64encode(b'{"a": "\\u0000"}').decode()])
def test_base64_that_holds_no_fitting_data_is_malformed(data: object) -> None:
    with pytest.raises(MalformedMessage):
        receive(STRUCTURED, structured(data=None, data_base64=data))


@pytest.mark.parametrize("version", ["0.3", "2.0", "one"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(MalformedMessage, match="specversion"):
        receive({**REQUIRED, "ce_specversion": version.encode()})


def test_fields_that_are_not_known_are_skipped() -> None:
    body = json.dumps({**json.loads(BODY), "new": {"deep": [1]}}).encode()
    assert receive({**REQUIRED, "ce_newer": b"x", "other": b"y"}, body).data == MESSAGE


def test_two_messages_are_one_when_source_and_id_are_equal() -> None:
    one = receive(REQUIRED)
    assert one.identity == receive({**REQUIRED, "ce_time": b"2026-01-01T00:00:00Z"}).identity
    assert one.identity != receive({**REQUIRED, "ce_source": b"/other"}).identity
    assert one.identity != receive({**REQUIRED, "ce_id": b"2"}).identity


def test_what_is_wrong_is_told_by_name_not_by_value() -> None:
    with pytest.raises(MalformedMessage) as error:
        receive(REQUIRED, b'{"organization_id": "org", "inventory_id": {"passphrase": "canary"}}')
    assert "inventory_id" in str(error.value)
    assert "canary" not in str(error.value)


NAMES = st.sampled_from([*REQUIRED, "ce_time", "content-type", "ce_subject", "odd"]) | st.text(max_size=5)
VALUES = st.binary(max_size=20) | st.sampled_from([*REQUIRED.values(), b"application/cloudevents+json"])
BODIES = (
    st.binary(max_size=60)
    | st.sampled_from([BODY, structured()])
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        ),
    )
)


@given(st.dictionaries(NAMES, VALUES), BODIES)
def test_whatever_comes_it_is_understood_or_malformed(headers: dict[str, bytes], body: bytes) -> None:
    for given_headers in (headers, {**REQUIRED, **headers}):
        try:
            assert receive(given_headers, body).type
        except MalformedMessage:
            continue
