"""The AsyncAPI 3.0 document of Cairn: topics, who sends and who handles what, and how it looks on Kafka."""

from typing import Any

from contracts import topics
from contracts.messages.base import Command, Message
from contracts.messages.outcomes import CommandOutcome

Document = dict[str, Any]
BINDING = "0.5.0"
HEADERS = "CloudEventHeaders"
_POOL = "{pool}"
# AsyncAPI describes the topics of all pools as one channel, with the pool as a parameter of its address.
_OF_POOLS = {topics.tasks(): topics.tasks, topics.connector_commands(): topics.connector_commands}
_INFO = """Every command and event of Cairn, as CloudEvents 1.0 in binary mode on Kafka; structured mode is read too.

Each command is answered by exactly one outcome on `cairn.outcomes`. Messages that cannot be handled are kept, byte
for byte, in `<topic>.dlq`, with headers `__connect.errors.*` that say why. Equal keys are handled in order."""


def asyncapi(messages: dict[str, type[Message]], version: str) -> Document:
    """The document for messages by type."""
    by_topic: dict[str, list[type[Message]]] = {}
    for message in messages.values():
        by_topic.setdefault(message.TOPIC, []).append(message)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Cairn", "version": version, "description": _INFO},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, found) for topic, found in sorted(by_topic.items())},
        "operations": {_operation_id(m): _operation(m) for m in messages.values()},
        "components": {
            "messages": {type_: _message(message) for type_, message in messages.items()},
            "schemas": {HEADERS: _headers()},
        },
    }


def _channel(topic: str, messages: list[type[Message]]) -> Document:
    channel: Document = {
        "address": topic,
        "messages": {m.TYPE: {"$ref": f"#/components/messages/{m.TYPE}"} for m in messages},
        "bindings": {"kafka": {"bindingVersion": BINDING}},
    }
    if topic in _OF_POOLS:
        channel["address"] = _OF_POOLS[topic](_POOL)
        channel["parameters"] = {"pool": {"default": topics.DEFAULT_POOL, "description": "Pool of workers"}}
    return channel


def _operation_id(message: type[Message]) -> str:
    return f"{'handle' if issubclass(message, Command) else 'announce'}:{message.TYPE}"


def _operation(message: type[Message]) -> Document:
    command = issubclass(message, Command)
    operation: Document = {
        "action": "receive" if command else "send",
        "summary": _summary(message),
        "channel": {"$ref": f"#/channels/{message.TOPIC}"},
        "messages": [{"$ref": f"#/channels/{message.TOPIC}/messages/{message.TYPE}"}],
        "bindings": {"kafka": {"bindingVersion": BINDING}},
    }
    # The reply is the outcome: who sends a command finds its answer by the command's id, on one topic for all.
    if command:
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{topics.OUTCOMES}"},
            "messages": [{"$ref": f"#/channels/{topics.OUTCOMES}/messages/{CommandOutcome.TYPE}"}],
        }
    return operation


def _message(message: type[Message]) -> Document:
    key = message.model_fields[message.KEY].description or ""
    return {
        "name": message.TYPE,
        "title": message.__name__,
        "summary": _summary(message),
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{HEADERS}"},
        # By reference: a generator of code finds each schema under the name that readers validate with.
        "payload": {"$ref": f"./schemas/{message.TYPE}.json"},
        "correlationId": {
            "location": "$message.header#/correlationid",
            "description": "Id of the command or event that began it all",
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "description": f"`{message.KEY}`: {key}"}, "bindingVersion": BINDING}
        },
    }


def _summary(message: type[Message]) -> str:
    return (message.__doc__ or "").strip().partition("\n")[0]


def _headers() -> Document:
    described = {
        "ce_id": "Unique with `ce_source`: the key by which duplicates are recognized; a command's id",
        "ce_source": "Who sent it, e.g. `/cairn/catalog`",
        "ce_specversion": "Always `1.0`",
        "ce_type": "Type of the message",
        "ce_time": "When it was made, UTC, RFC 3339 with milliseconds",
        "ce_subject": "Id of the thing it is about",
        "ce_correlationid": "Id of the command or event that began it all",
        "ce_causationid": "Id of the message this one follows from",
        "ce_traceparent": "W3C trace context of where the message was made; unchanged over many hops",
        "ce_tracestate": "Goes with `ce_traceparent`",
        "content-type": "`application/json`",
        "correlationid": "Like `ce_correlationid`, for readers that know no CloudEvents",
        "traceparent": "W3C trace context of the last hop",
        "tracestate": "Goes with `traceparent`",
    }
    properties = {name: {"type": "string", "description": text} for name, text in described.items()}
    properties["ce_specversion"]["const"] = "1.0"
    return {
        "type": "object",
        "required": ["ce_id", "ce_source", "ce_specversion", "ce_type"],
        "properties": properties,
    }
