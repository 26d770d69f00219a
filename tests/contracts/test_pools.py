"""Which workers can reach what: by the limits that they announce, and by the topics of their pools."""

import pytest
from contracts import topics
from contracts.messages.assignment import AppRef
from contracts.messages.connector.connection_tests import TestConnection
from contracts.messages.connector.offers import Reach
from contracts.values import AppId, OrganizationId

REACH = Reach(protocol="fs", field="root", within=("/srv", "/mnt/archive/"))


@pytest.mark.parametrize(
    ("value", "admitted"),
    [
        ("/srv", True),
        ("/srv/data", True),
        ("/srv/data/", True),
        ("//srv/./data", True),
        ("/mnt/archive/2026", True),
        ("/srv-other", False),
        ("/srv/../etc", False),
        ("/mnt", False),
        ("/", False),
        (None, True),
    ],
)
def test_a_path_is_reached_in_and_below_the_directories(value: str | None, admitted: bool) -> None:
    assert REACH.admits("fs", value) is admitted


@pytest.mark.parametrize("name", ["default", "branch-2", "EU.west_1", "x" * 100, "dlq-less"])
def test_topics_can_be_named_after_a_pool(name: str) -> None:
    assert topics.is_pool_name(name)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a\n", "*", "a,b", "a=b", "für", "x" * 101, "dlq", "default.dlq"])
def test_no_topics_can_be_named_after_other_texts_or_would_be_those_of_dead_letters(name: str) -> None:
    assert not topics.is_pool_name(name)


def test_other_protocols_are_not_limited() -> None:
    assert REACH.admits("s3", "/etc")


def test_the_root_of_the_file_system_admits_every_path() -> None:
    assert Reach(protocol="fs", field="root", within=("/",)).admits("fs", "/any/where")


def test_no_directory_admits_no_path() -> None:
    assert not Reach(protocol="fs", field="root", within=()).admits("fs", "/srv")


@pytest.mark.parametrize(
    ("pool", "topic"),
    [("default", topics.CONNECTOR_COMMANDS), ("branch-office", "cairn.connector.commands.branch-office")],
)
def test_a_command_goes_to_the_topic_of_its_pool(pool: str, topic: str) -> None:
    app = AppRef(id=AppId("a"), revision=1, kind="store", name="shelf")
    command = TestConnection(organization_id=OrganizationId("o"), app_id=app.id, app=app, pool=pool)
    assert command.topic == topic
