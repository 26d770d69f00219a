"""Paths in queries are bytes."""

import pytest
from chassis.http.byte_parameters import bytes_parameter, bytes_parameters


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"path=/caf%E9.txt", b"/caf\xe9.txt"),
        (b"limit=3&path=%2Fa%20b+c%2Bd", b"/a b c+d"),
        (b"path=", b""),
        (b"pathology=/x", None),
        (b"", None),
        (b"path=/first&path=/second", b"/first"),
        (b"path=/100%", b"/100%"),
    ],
)
def test_parameter_is_read_byte_for_byte(query: bytes, found: bytes | None) -> None:
    assert bytes_parameter(query, "path") == found


def test_all_parameters_of_a_name_in_their_order() -> None:
    assert bytes_parameters(b"p=a+b&q=x&p=%ff&%70=&r", "p") == [b"a b", b"\xff", b""]
    assert bytes_parameters(b"", "p") == []
