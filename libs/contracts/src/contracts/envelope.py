"""CloudEvents 1.0 around a message, and its binary form in Kafka headers.

Source: CloudEvents 1.0 and its Kafka protocol binding; structured mode is read too, since other platforms send it.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.messages.base import Message
from contracts.values import Moment, OrganizationId

M_co = TypeVar("M_co", bound=Message, covariant=True)
Headers = list[tuple[str, bytes]]

JSON = "application/json"
STRUCTURED = "application/cloudevents"
_DATA = ("data", "data_base64")
# Bytes that are not UTF-8 stand in the names of headers as surrogate escapes.
_ESCAPED = re.compile("[\ud800-\udfff]")
# `\\u0000` after an even number of backslashes: after an odd number it is text that merely looks like an escape.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class MalformedMessage(ValueError):
    """What arrived is no CloudEvent, or its data does not fit its type. Says why without quoting the data.

    `envelope`: when the type is known and handled, what could be read; of the data no more than the organization.
    """

    def __init__(self, reason: str, envelope: "Envelope[Message] | None" = None) -> None:
        super().__init__(reason)
        self.envelope = envelope


class Envelope(BaseModel, Generic[M_co]):
    """One message on its way."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Unique with `source`: the key by which duplicates are recognized; a command's id")
    source: str = Field(description="Who sent it, e.g. `/cairn/catalog`")
    type: str = Field(description="Reverse-DNS name of what happened or is asked for, with its version")
    subject: str = Field(description="Id of the thing it is about; the Kafka key")
    time: Moment = Field(description="When it was made")
    data: M_co = Field(description="The message")
    correlation_id: str = Field(description="Id of the command or event that began it all")
    causation_id: str | None = Field(default=None, description="Id of the message this one follows from")
    traceparent: str | None = Field(default=None, description="W3C trace context of where the message was made")
    tracestate: str | None = Field(default=None, description="Goes with `traceparent`")

    @property
    def identity(self) -> tuple[str, str]:
        """Source and id: equal for two copies of one message, and for nothing else."""
        return self.source, self.id


_ATTRIBUTES = {
    "ce_id": "id",
    "ce_source": "source",
    "ce_type": "type",
    "ce_subject": "subject",
    "ce_correlationid": "correlation_id",
    "ce_causationid": "causation_id",
    "ce_traceparent": "traceparent",
    "ce_tracestate": "tracestate",
}


def to_headers(envelope: Envelope[Message]) -> Headers:
    """The Kafka headers of an envelope in binary mode, without the `traceparent` of the hop, which the sender adds."""
    # An attribute without a value is left out: CloudEvents allows no empty ones.
    named = [(header, getattr(envelope, attribute)) for header, attribute in _ATTRIBUTES.items()]
    headers = [(header, str(value).encode()) for header, value in named if value]
    time = envelope.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    # `correlationid` once more without the prefix, for readers that know no CloudEvents.
    fixed = [("ce_specversion", b"1.0"), ("ce_time", time.encode()), ("content-type", JSON.encode())]
    return [*headers, *fixed, ("correlationid", envelope.correlation_id.encode())]


def to_body(envelope: Envelope[Message]) -> bytes:
    """The Kafka value of an envelope in binary mode: its data as JSON."""
    return envelope.data.model_dump_json(by_alias=True).encode()


def _structured(body: bytes) -> tuple[dict[str, Any], Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        # Deeply nested JSON exhausts the stack of the parser; it must become a dead letter, not stop the consumer.
        raise MalformedMessage("the body is not valid JSON") from error
    if not isinstance(event, dict) or event.keys().isdisjoint(_DATA):
        raise MalformedMessage("a structured CloudEvent needs an object with `data` or `data_base64`")
    # In the JSON format null says that an attribute is not there.
    found = {f"ce_{name}": value for name, value in event.items() if name not in _DATA and value is not None}
    return found, event.get("data") if event.get("data_base64") is None else _decoded(event["data_base64"])


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise MalformedMessage("`data_base64` is not base64") from error


def attributes(headers: Iterable[tuple[str, bytes]], body: bytes) -> tuple[dict[str, str], Any]:
    """The CloudEvents attributes of a Kafka message and its data (bytes in binary mode, parsed in structured mode).

    Raises `MalformedMessage` when a required attribute is missing, a header is not UTF-8 (in a name such bytes
    are surrogate escapes), or a text holds a NUL, which
    not every database can keep.
    """
    found: dict[str, Any] = _read(headers)
    data: Any = body
    if found.get("content-type", "").lower().startswith(STRUCTURED):
        if _ESCAPED_NUL.search(body):
            raise MalformedMessage("a text holds a NUL character")
        structured, data = _structured(body)
        found |= structured
    _require_attributes(found)
    return {name: str(value) for name, value in found.items()}, data


def _read(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    # Kafka allows headers without a value, which say as much as headers that are missing.
    headers = [(name, value) for name, value in headers if value is not None]
    if any(_ESCAPED.search(name) for name, _ in headers):
        raise MalformedMessage("the name of a header is not UTF-8")
    if any(b"\x00" in value for _, value in headers):
        raise MalformedMessage("a text holds a NUL character")
    try:
        return {name.lower(): value.decode() for name, value in headers}
    except UnicodeDecodeError as error:
        raise MalformedMessage("a header is not UTF-8") from error


def _require_attributes(found: Mapping[str, Any]) -> None:
    missing = [n for n in ("ce_id", "ce_source", "ce_type", "ce_specversion") if not found.get(n)]
    if missing:
        raise MalformedMessage(f"CloudEvents attributes are missing: {', '.join(n[3:] for n in missing)}")
    # Minor versions of CloudEvents add optional attributes only.
    if not str(found["ce_specversion"]).startswith("1."):
        raise MalformedMessage("the specversion is not 1.0, the version of CloudEvents read here")


def parse(message: type[M_co], found: dict[str, str], data: Any, *, received: Moment) -> Envelope[M_co]:
    """An envelope from what `attributes` returned. Raises `MalformedMessage` naming the fields that do not fit."""
    # Every message passes through here, and each call costs a share of its time: branches stay, they are not functions.
    named = {attribute: found[header] for header, attribute in _ATTRIBUTES.items() if header in found}
    # A message from outside begins a chain of its own.
    named.setdefault("correlation_id", found.get("correlationid", found["ce_id"]))
    try:
        # PostgreSQL below FerretDB cannot keep a NUL. The search for plain bytes spares most messages the slower
        # regular expression.
        if isinstance(data, bytes) and b"\\u0000" in data and _ESCAPED_NUL.search(data):
            raise MalformedMessage("a text holds a NUL character", _salvaged(message, named, data))
        parsed = message.model_validate_json(data) if isinstance(data, bytes) else message.model_validate(data)
        return Envelope[Any](**{"subject": parsed.key} | named, time=found.get("ce_time", received), data=parsed)
    except ValidationError as error:
        # Where, but never what: the input may hold a secret, and the reason is logged and kept with the dead letter.
        places = sorted({".".join(str(p) for p in e["loc"]) or "data" for e in error.errors(include_input=False)})
        reason = f"data does not fit {message.__name__}: {', '.join(places)}"
        raise MalformedMessage(reason, _salvaged(message, named, data)) from None


def _salvaged(message: type[M_co], named: dict[str, Any], data: Any) -> Envelope[M_co]:
    # Without validation, which has failed: a command that is rejected still gets an outcome for its organization.
    read = message.model_construct(organization_id=_organization(data))
    return Envelope[Any].model_construct(**named, data=read)


def _organization(data: Any) -> OrganizationId:
    try:
        found = json.loads(data) if isinstance(data, bytes) else data
    except (ValueError, RecursionError):
        return OrganizationId("")
    organization = found.get("organization_id") if isinstance(found, dict) else None
    if not isinstance(organization, str) or "\x00" in organization:
        return OrganizationId("")
    return OrganizationId(organization)
