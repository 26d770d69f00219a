"""Texts as the database can keep them."""

import pytest
from connector.domain.texts import keepable


@pytest.mark.parametrize(
    ("text", "kept"), [("plain \u00e9\n", "plain \u00e9\n"), ("a\0b", r"a\x00b"), ("\udcff", r"\udcff")]
)
def test_any_text_can_be_kept(text: str, kept: str) -> None:
    assert keepable(text) == kept
