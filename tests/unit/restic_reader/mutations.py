"""Documents as they should not be: strategies that change what is sound a little or a lot."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

from tests.support.random_cases import random_cases

fuzzed = random_cases()

_ODD_NUMBERS = [-1, 0, 1, 31, 33, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63), 10**400, 0.5]
_ODD_TEXTS = [
    "",
    "\x00",
    "..",
    "/",
    "\\",
    "\\x",
    "\ud800",
    "\U0010ffff",
    "f" * 64,
    "F" * 64,
    "g" * 64,
    "0" * 63,
    "é" * 64,
]
_ODD_TIMES = {
    "none": "0000-00-00T00:00:00Z",
    "late": "9999-12-31T23:59:59.999999999Z",
    "fine": "2026-01-01T00:00:00." + "9" * 5000 + "Z",
}
_LONG = {"deep list": b"[" * 20_000, "deep object": b'{"a":' * 20_000, "many digits": b"9" * 5000}

odd_values = st.one_of(
    st.sampled_from([None, True, *_ODD_NUMBERS, *_ODD_TEXTS]),
    st.sampled_from(["[]", "{}", "[[]]", "[null]", '{"":null}']).map(json.loads),
    st.sampled_from(sorted(_ODD_TIMES)).map(_ODD_TIMES.__getitem__),
    st.text(max_size=20),
    st.integers(),
)

odd_bytes = st.one_of(
    st.sampled_from(
        [b"", b"\x00", b"\xff", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\xed\xa0\x80", b"-", b"1e999"]
    ),
    st.sampled_from([b"\x28\xb5\x2f\xfd", b"\x02", b"null"]),
    st.sampled_from(sorted(_LONG)).map(_LONG.__getitem__),
    st.binary(max_size=40),
)


@st.composite
def changed_value(draw: st.DrawFn, document: Any) -> Any:
    """A document with one value, at any depth, replaced, removed, repeated or renamed."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "replace", "remove", "wrap", "rename"])):
            case "replace":
                holder[key] = draw(odd_values)
            case "remove":
                del holder[key]
            case "wrap":
                holder[key] = [holder[key]]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = holder.pop(key)
    return document


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with a few of them changed, removed, added or repeated."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        match draw(st.sampled_from(["put", "cut", "shorten", "repeat"])):
            case "put":
                data = data[:start] + draw(odd_bytes) + data[end:]
            case "cut":
                data = data[:start] + data[end:]
            case "shorten":
                data = data[:start]
            case "repeat":
                data = data[:end] + data[start:]
    return data


def changed_json(document: Any) -> st.SearchStrategy[bytes]:
    """The JSON of a document that was changed as a value, as bytes, or that has nothing to do with it."""
    sound = json.dumps(document).encode()
    as_value = changed_value(document).map(_json)
    return st.one_of(
        as_value, as_value.flatmap(changed_bytes), changed_bytes(sound), odd_bytes, st.binary(max_size=200)
    )


def _json(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _places(document: Any) -> Any:
    children = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in children:
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)
