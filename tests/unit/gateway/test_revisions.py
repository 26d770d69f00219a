"""What `If-Match` says about a connector."""

import pytest
from contracts.errors import Invalid, PreconditionFailed
from gateway.areas.connectors.revisions import expected_revision, tag_of

from tests.unit.gateway.test_domain import an_app

APP = an_app(revision=3)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("*", None),
        (' "3" ', 3),
        ('"3", "7"', 3),
        # Of those that are not there the handler of the command says so, in order.
        ('"2"', 2),
        ('"1","2"', 2),
        ('W/"3","2"', 2),
    ],
)
async def test_a_command_carries_the_revision_that_the_header_names(header: str | None, expected: int | None) -> None:
    assert (await expected_revision(header)).of(APP) == expected


@pytest.mark.parametrize("header", ['W/"3"', '"x"', '"03"', '""', '"99999999999999999999"'])
async def test_a_tag_that_no_revision_has_is_refused_at_once(header: str) -> None:
    with pytest.raises(PreconditionFailed, match="revision_changed"):
        (await expected_revision(header)).of(APP)


@pytest.mark.parametrize("header", ["", "3", '"3', '"3" "4"', '"3",', "*, *"])
async def test_what_is_no_list_of_tags_is_refused(header: str) -> None:
    with pytest.raises(Invalid, match="if_match_invalid"):
        await expected_revision(header)


async def test_the_tag_of_a_connector_is_what_its_change_expects() -> None:
    assert (await expected_revision(tag_of(APP))).of(APP) == APP.revision
