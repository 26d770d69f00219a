"""What is offered for a resource, and that an assignment accepts just that."""

from typing import Any

import pytest
from assignment.apps.domain.apps import assign
from assignment.apps.domain.choice import Choice, choose, choose_protocol
from assignment.apps.domain.draft import examine
from assignment.apps.domain.matching import assess, misfit, offering, preferred
from contracts.errors import Invalid
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration
from contracts.values import IntegrationId
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders as make

KINDS: tuple[AppKind, ...] = ("source", "store", "destination")
kinds = st.sampled_from(KINDS)
classes = st.sampled_from(["database", "file-storage"])
subclasses = st.sampled_from(["", "one", "two"])
matches = st.builds(lambda c, s: {"class": c, "subclass": s}, classes, subclasses)
resources = st.builds(
    lambda c, s: make.a_resource(**{"class": c, "subclass": s}), st.one_of(classes, st.just("")), subclasses
)
names = st.sampled_from(["a", "b", "c", "d"])
wishes = st.one_of(st.none(), names)


@st.composite
def several(draw: st.DrawFn) -> list[Integration]:
    """Integrations of names of their own, whose protocols may be called like any of them."""
    return [
        make.an_integration(
            name,
            matches=draw(st.lists(matches, min_size=1, max_size=3)),
            protocols=[
                make.a_protocol(protocol, *draw(st.lists(kinds, min_size=1, unique=True)))
                for protocol in draw(st.lists(names, min_size=1, max_size=3, unique=True))
            ],
        )
        for name in draw(st.lists(names, max_size=4, unique=True))
    ]


uninstalled = st.frozensets(names.map(lambda name: IntegrationId(f"int-{name}")), max_size=2)


@given(several(), resources, kinds, uninstalled)
def test_what_is_offered_is_accepted_and_nothing_else(
    integrations: list[Integration], resource: Resource, kind: AppKind, uninstalled: frozenset[IntegrationId]
) -> None:
    for each in integrations:
        offered = assess(each, resource, kind=kind, uninstalled=uninstalled)
        accepted = set[str]()
        for protocol in each.protocols:
            description = make.an_app_description(kind=kind, integration_id=each.id, protocol=protocol.name)
            found = examine(description, resource, integrations, uninstalled=uninstalled)
            if not found.faults:
                accepted.add(protocol.name)
        assert accepted == ({p.name for p in offering(each, kind)} if offered.is_usable else set())
        assert bool(accepted) == offered.is_usable


@given(several(), resources, kinds, wishes, uninstalled)
def test_what_is_chosen_by_itself_is_what_an_assignment_gets(
    integrations: list[Integration],
    resource: Resource,
    kind: AppKind,
    protocol: str | None,
    uninstalled: frozenset[IntegrationId],
) -> None:
    assessed = [assess(each, resource, kind=kind, uninstalled=uninstalled) for each in integrations]
    candidates = preferred(assessed, protocol=protocol)

    def chosen() -> Choice:
        return choose(integrations, resource, kind=kind, protocol=protocol, uninstalled=uninstalled)

    if len(candidates) != 1:
        with pytest.raises(Invalid) as refused:
            chosen()
        assert (refused.value.code == "integration_ambiguous") == bool(candidates)
        return
    integration = candidates[0].integration
    try:
        reached_by = choose_protocol(integration, kind=kind, wanted=protocol)
    except Invalid:
        with pytest.raises(Invalid):
            chosen()
    else:
        assert chosen() == Choice(integration, reached_by, kind)


FS = make.an_integration("fs", matches=[{"class": "file-storage", "subclass": s} for s in ("posix", "")])
NFS = make.an_integration("nfs", matches=[{"class": "file-storage", "subclass": "nfs"}])


@pytest.mark.parametrize(
    ("integration", "resource", "facts", "code", "said"),
    [
        (FS, make.a_resource(), {}, "subclass_matches", "made for resources of class file-storage, subclass posix"),
        (FS, make.a_resource(subclass=""), {}, "subclass_matches", "made for resources of class file-storage."),
        (NFS, make.a_resource(subclass=""), {}, "class_matches", "names no subclass"),
        (NFS, make.a_resource(), {}, "subclass_differs", "works with file-storage/nfs, not with"),
        (NFS, make.a_resource(**{"class": "compute"}), {}, "class_differs", "does not work with resources of class"),
        (FS, make.a_resource(), {"kind": "destination"}, "kind_not_offered", "cannot be used as a destination"),
        (FS, make.a_resource(), {"uninstalled": {"int-fs"}}, "not_installed", "is not installed"),
        (FS, make.a_resource(), {"gone": {"int-fs"}}, "gone", "no worker has offered it"),
        (FS, None, {}, "kind_offered", "can be used as a source"),
        (NFS, make.a_resource(**{"class": ""}), {}, "kind_offered", "can be used as a source"),
        (FS, make.a_resource(**{"class": ""}), {"kind": "destination"}, "kind_not_offered", "cannot be used as"),
    ],
)
def test_each_verdict_has_its_reason_in_words(
    integration: Integration, resource: Resource | None, facts: dict[str, Any], code: str, said: str
) -> None:
    verdict = assess(integration, resource, **{"kind": "source", **facts})
    assert verdict.code == code
    assert said in verdict.reason


def test_one_made_for_the_subclass_that_lacks_the_kind_stands_in_nobodys_way() -> None:
    source = make.an_integration("only-source", matches="file-storage/", protocols=[make.a_protocol("x", "source")])
    store = make.an_integration("store", matches="file-storage/nfs", protocols=[make.a_protocol("y", "store")])
    assert choose([source, store], make.a_resource(subclass=""), kind="store").integration == store


def test_for_a_resource_without_a_class_somebody_has_to_choose_unless_there_is_one() -> None:
    bare = make.a_resource(**{"class": "", "subclass": ""})
    with pytest.raises(Invalid, match="resources of any class") as refused:
        choose([FS, NFS], bare, kind="source")
    assert refused.value.code == "integration_ambiguous"
    assert choose([FS, NFS], bare, kind="source", integration_id=NFS.id).integration == NFS
    assert choose([FS], bare, kind="source").integration == FS


def test_what_is_not_installed_is_said_so() -> None:
    for wish in ({}, {"integration_id": FS.id}):
        with pytest.raises(Invalid, match="not installed") as refused:
            choose([FS], make.a_resource(), kind="source", uninstalled={FS.id}, **wish)
        assert refused.value.code == "integration_not_installed"


def test_all_kinds_of_faults_are_told_at_once() -> None:
    description = make.an_app_description(
        name="", kind="source", endpoints=("",), fields={"root": make.clear("srv"), "colour": make.clear("red")}
    )
    refusal = examine(description, make.a_resource(), [FS]).refusal()
    assert refusal is not None
    assert refusal.code == "app_invalid"
    assert set(refusal.fields) == {"name", "endpoints.0", "fields.root", "fields.colour"}

    lost = make.an_app_description(name="", fields={"passphrase": {"keep": True}})
    refusal = examine(lost, make.a_resource(**{"class": "teapot"}), [FS]).refusal()
    assert refusal is not None
    assert set(refusal.fields) == {"fields.passphrase.masked", "name", "integration"}


def test_a_resource_that_is_not_named_is_a_fault_like_others() -> None:
    nothing = examine(make.an_app_description(name="", fields={}), None, [FS, NFS]).refusal()
    assert nothing is not None
    assert (nothing.code, nothing.fields.keys()) == ("app_invalid", {"name", "urn_id"})

    named = make.an_app_description(integration_id=FS.id, fields={"root": make.clear("srv")})
    refusal = examine(named, None, [FS, NFS]).refusal()
    assert refusal is not None
    assert set(refusal.fields) == {"urn_id", "fields.root"}


@pytest.mark.parametrize(("of_manifest", "of_resource"), [("postgres", "postgresql"), ("postgresql", "postgres")])
def test_postgres_and_postgresql_are_one(of_manifest: str, of_resource: str) -> None:
    integration = make.an_integration("pg", matches=[{"class": "database", "subclass": of_manifest}])
    resource = make.a_resource(**{"class": "database", "subclass": of_resource})
    found = assess(integration, resource, kind="source")
    assert (found.is_made_for, found.obstacle) == (True, None)
    other = make.a_resource(**{"class": "database", "subclass": "mysql"})
    assert assess(integration, other, kind="source").obstacle == "subclass_differs"


def test_a_connector_whose_resource_got_another_class_is_told_why_it_fits_no_more() -> None:
    app = assign(make.assign_app("app-1"), [FS], known=False)
    assert misfit(app, [NFS, FS]) == misfit(app, []) == ""
    bucket = app.model_copy(update={"resource": make.a_resource(**{"class": "object-storage", "subclass": "s3"})})
    assert "does not work with resources of class object-storage" in misfit(bucket, [NFS, FS])
    other = app.model_copy(update={"resource": make.a_resource(subclass="nfs")})
    assert "works with file-storage" in misfit(other, [FS])


@pytest.mark.parametrize(
    ("class_", "subclass"), [("ObjectStorage", "S3"), ("Object Storage", "s3"), ("OBJECT_STORAGE", "S3")]
)
def test_a_class_is_matched_however_it_is_written(class_: str, subclass: str) -> None:
    resource = make.a_resource(**{"class": class_, "subclass": subclass})
    s3 = make.s3_integration()
    assert assess(s3, resource, kind="source").is_made_for
    assert choose([FS, s3], resource, kind="source").integration == s3
    gcs = make.a_resource(**{"class": class_, "subclass": "GCS"})
    assert assess(s3, gcs, kind="source").is_near_miss
