"""What the tags of a snapshot say about where it comes from."""

import pytest
from connector.domain.origins import Origin, origin_of, tags_of
from contracts.errors import Invalid
from contracts.values import OrganizationId

ORG = OrganizationId("org")


def test_tags_tell_again_what_they_were_made_of() -> None:
    origin = Origin(
        organization_id="org",
        source_id="source",
        job_id="job",
        environment="a,b%2C=c",
        data_classes=("pii", "cold, dry"),
        name="nas, attic",
        resource_class="file-storage",
        protocol="fs",
        address="nas.example:2049",
        location="/srv/a,b",
        labels=("nightly", "k=v"),
    )

    tags = tags_of(origin)

    assert not any("," in tag for tag in tags)
    assert origin_of(tags, ORG) == origin


@pytest.mark.parametrize(
    "labels",
    [("nightly ", "nightly"), ("nightly", " nightly", "b"), ("\u3000wide\u00a0", "50% "), ("a", "a ", "a")],
)
def test_white_space_at_the_ends_outlasts_an_engine_that_cuts_it_off(labels: tuple[str, ...]) -> None:
    places = {"source_id": "s", "job_id": "j", "location": "/srv/a "}
    origin = Origin(organization_id=ORG, environment=" blue", data_classes=("pii ",), labels=labels, **places)

    tags = tags_of(origin)

    assert [tag.strip() for tag in tags] == list(tags)
    assert origin_of(tags, ORG) == origin


def test_marks_of_another_organization_count_for_nothing() -> None:
    tags = tags_of(Origin(organization_id="other", source_id="s", job_id="j", labels=("kept",)))

    assert origin_of(tags, ORG) == Origin(labels=("kept",))


@pytest.mark.parametrize(
    "marks", [(), ("cairn:source=s",), ("cairn:job=j",), ("cairn:source=", "cairn:job=j"), ("cairn:location=/srv",)]
)
def test_marks_that_no_cairn_has_put_on_count_for_nothing(marks: tuple[str, ...]) -> None:
    assert origin_of((f"cairn:org={ORG}", *marks, "kept"), ORG) == Origin(labels=("kept",))


@pytest.mark.parametrize("label", ["", " ", "a,b", "cairn:job=1", " cairn:job=1"])
def test_labels_that_could_pass_for_something_else_are_refused(label: str) -> None:
    with pytest.raises(Invalid, match="label_invalid"):
        tags_of(Origin(labels=(label,)))
