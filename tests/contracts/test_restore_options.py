"""What a restore may be asked for, and how it is refused."""

import pytest
from contracts.tasks import TaskOptions
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("given", "read"),
    [("", ""), (None, ""), ("/", ""), ("copies", "copies"), ("copies/of/today/", "copies/of/today")],
)
def test_the_folder_of_a_restore_is_relative_to_the_root_of_its_destination(given: str | None, read: str) -> None:
    assert TaskOptions.model_validate({"root": given}).root == read


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("/copies", "without a slash at its beginning"),
        ("//copies", "without a slash at its beginning"),
        ("..", "without empty parts"),
        ("copies/../..", "without empty parts"),
        ("copies//today", "without empty parts"),
        ("copies/" * 900, "is longer than 4096 bytes"),
        ("copies\0", "must not hold a NUL"),
    ],
)
def test_a_folder_that_would_be_elsewhere_is_refused_in_words(given: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TaskOptions.model_validate({"root": given})
