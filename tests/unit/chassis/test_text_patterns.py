"""The regular expressions of the document say what the checks of the services do."""

import re

from chassis.texts import NOT_BLANK, PRINTABLE, STORABLE, fault_of, is_storable
from contracts.errors import Invalid
from contracts.paths import PATH_PATTERN, split_path
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(max_size=20) | st.text("a \t\n\x00\x7f\x85\xa0\u2003\u2028\u3000", max_size=4)
PATHS = st.text("/.a\\\x00\n", max_size=8) | st.text(max_size=10).map("/{}".format)


def fits(pattern: str, text: str) -> bool:
    """As JSON Schema has it: `$` is the very end."""
    return re.search(pattern.removesuffix("$") + r"\Z", text) is not None


@given(TEXTS)
def test_patterns_of_texts(text: str) -> None:
    assert fits(PRINTABLE, text) == (fault_of(text, longest=100) is None)
    assert fits(NOT_BLANK, text) == (fault_of(text, longest=100, empty=False) is None)
    assert fits(STORABLE, text) == is_storable(text)


@given(PATHS)
def test_pattern_of_paths(path: str) -> None:
    try:
        split_path(path.encode())
        taken = True
    except Invalid:
        taken = False
    assert fits(PATH_PATTERN, path) == taken
