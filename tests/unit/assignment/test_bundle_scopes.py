"""Which apps a bundle is for, and which of two goes before the other."""

from typing import Any

import pytest
from assignment.bundles.domain.filling import Filling, fill
from assignment.bundles.domain.scope import Target, can_meet, conditions, goes_before, is_for
from contracts.errors import Conflict
from contracts.messages.bundles import Bundle
from contracts.values import IntegrationId
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders as make
from tests.support.builders import clear, sealed

BUCKET = make.a_resource(**{"class": "object-storage", "subclass": "s3", "tags": ["red", "team=a"]})
S3 = make.s3_integration()
TARGET = Target(BUCKET, "production", S3.id)

SCOPES = st.fixed_dictionaries(
    {
        "inventory_id": st.sampled_from([None, None, "inv-1", "inv-2"]),
        "environment": st.sampled_from(["", "production", "staging"]),
        "resource_classes": st.sampled_from([(), ("object-storage",), ("database",), ("object-storage", "database")]),
        "resource_subclasses": st.sampled_from([(), ("s3",), ("s3", "postgresql")]),
        "tags": st.sampled_from([(), ("red",), ("team=a",), ("red", "team=a"), ("blue",)]),
        "integration_id": st.sampled_from([None, "int-s3", "int-fs"]),
    }
)
GIFTS = st.dictionaries(
    st.sampled_from(["root", "access_key", "secret_access_key", "colour"]),
    st.sampled_from([clear("a"), clear("b"), clear(""), sealed()]),
    max_size=3,
)


@st.composite
def bundles(draw: st.DrawFn) -> list[Bundle]:
    scopes = draw(st.lists(st.tuples(SCOPES, GIFTS), max_size=6))
    return [make.a_bundle(f"b{n}", **scope, fields=fields) for n, (scope, fields) in enumerate(scopes)]


def filling(found: list[Bundle], **changes: Any) -> Filling:
    facts: dict[str, Any] = {
        "resource": BUCKET,
        "environment": "production",
        "integration": S3,
        "protocol": S3.protocols[0],
        "kind": "source",
        "given": (),
    }
    return fill(found, **{**facts, **changes})


@pytest.mark.parametrize(
    ("scope", "matches"),
    [
        ({}, True),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"resource_classes": ["database", "object-storage"]}, True),
        ({"resource_classes": ["database"]}, False),
        ({"resource_classes": ["object-storage"], "resource_subclasses": ["gcs"]}, False),
        ({"resource_classes": ["object-storage"], "resource_subclasses": ["gcs", "s3"]}, True),
        ({"tags": ["red"]}, True),
        ({"tags": ["red", "team=a"]}, True),
        ({"tags": ["red", "blue"]}, False),
        ({"integration_id": "int-s3"}, True),
        ({"integration_id": "int-fs"}, False),
        ({"inventory_id": "inv-1"}, True),
        ({"inventory_id": "inv-2"}, False),
        ({"environment": "production", "resource_classes": ["database"]}, False),
    ],
)
def test_all_conditions_that_are_set_must_be_met(scope: dict[str, Any], matches: bool) -> None:
    assert is_for(make.a_bundle(**scope), TARGET) is matches


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"inventory_id": "inv-1"}, {"environment": "production", "tags": ["red"]}),
        ({"environment": "production"}, {}),
        ({"tags": ["red", "team=a"]}, {"environment": "production"}),
        ({"resource_classes": ["object-storage"], "resource_subclasses": ["s3"]}, {"tags": ["red"]}),
        ({"resource_classes": ["object-storage"]}, {"resource_classes": ["object-storage", "database"]}),
        ({"integration_id": "int-s3"}, {}),
    ],
)
def test_the_inventory_and_the_narrower_scope_go_before(first: dict[str, Any], second: dict[str, Any]) -> None:
    one = make.a_bundle("one", **first, fields={"root": clear("a")})
    other = make.a_bundle("other", **second, fields={"root": clear("b")})
    assert (goes_before(one, other), goes_before(other, one)) == (True, False)
    assert filling([other, one]).values["root"].value == "a"


def test_neither_goes_before_where_conditions_differ_and_count_the_same() -> None:
    one = make.a_bundle("one", environment="production", fields={"root": clear("a")})
    other = make.a_bundle("other", resource_classes=["object-storage"], fields={"root": clear("b")})
    assert can_meet(one, other)
    found = filling([one, other])
    assert found.fields == {}
    words = "bundles 'one' and 'other' of the organization give it different values, and none goes before the other"
    assert found.ties == {"root": words}
    with pytest.raises(Conflict) as refused:
        found.require_no_ties()
    assert (refused.value.code, list(refused.value.fields)) == ("bundles_tie", ["fields.root"])


def test_bundles_of_one_name_are_told_apart_by_their_ids() -> None:
    here = {"inventory_id": make.a_resource().inventory_id, "name": "keys"}
    one, other = (make.a_bundle(id_, fields={"root": clear(id_)}, **here) for id_ in ("b2", "b1"))
    assert "bundles 'keys' (id b1) and 'keys' (id b2) of the inventory give" in filling([one, other]).ties["root"]


def test_equal_values_are_no_tie_and_secrets_of_two_bundles_are() -> None:
    one, other = (make.a_bundle(name, fields={"root": clear("a")}) for name in ("one", "other"))
    assert filling([other, one]).fields["root"].bundle_id == "one"
    first, second = sealed(), sealed()
    assert first.sealed
    second = second.model_copy(update={"sealed": first.sealed.model_copy(update={"nonce": "b3RoZXI="})})
    one, other = (make.a_bundle(n, fields={"secret_access_key": v}) for n, v in (("one", first), ("other", second)))
    assert list(filling([one, other]).ties) == ["secret_access_key"]


def test_a_more_narrow_third_ends_a_tie() -> None:
    values = {"one": "a", "other": "b", "third": "c"}
    tags = {"one": ["red"], "other": ["team=a"], "third": ["red", "team=a"]}
    found = [make.a_bundle(n, tags=tags[n], fields={"root": clear(values[n])}) for n in values]
    assert filling(found).values["root"].value == "c"
    assert list(filling(found[:2]).ties) == ["root"]


def test_only_fields_of_the_protocol_that_are_not_given_are_filled() -> None:
    gifts = {"root": clear("a"), "colour": clear("b"), "use_tls": clear("true"), "access_key": clear("")}
    found = filling([make.a_bundle(fields=gifts)], given={"root"})
    assert {name: (f.value.value, f.bundle_id) for name, f in found.fields.items()} == {"use_tls": ("true", "bundle-1")}


def test_a_store_has_a_passphrase_whatever_its_schema_says() -> None:
    bare = make.an_integration("bare", protocols=[make.a_protocol("bare", schema=make.a_schema(root={}))])
    bundle = make.a_bundle(fields={"passphrase": sealed()})
    wanted: dict[str, Any] = {"integration": bare, "protocol": bare.protocols[0]}
    assert list(filling([bundle], **wanted, kind="store").fields) == ["passphrase"]
    assert filling([bundle], **wanted, kind="source").fields == {}


@given(bundles(), st.permutations(range(6)))
def test_what_is_filled_does_not_depend_on_the_order(found: list[Bundle], order: list[int]) -> None:
    shuffled = [found[place] for place in order if place < len(found)]
    assert filling(found) == filling(shuffled)


@given(bundles())
def test_going_before_is_an_order(found: list[Bundle]) -> None:
    for one in found:
        assert not goes_before(one, one)
        for other in found:
            assert not (goes_before(one, other) and goes_before(other, one))
            for third in found:
                if goes_before(one, other) and goes_before(other, third):
                    assert goes_before(one, third)


def model(found: list[Bundle], name: str) -> set[str]:
    """The ids of the bundles whose value of a field counts, as the page on bundles says it: in words, by hand."""

    def matches(b: Bundle) -> bool:
        return all(
            (
                b.inventory_id in (None, "inv-1"),
                b.environment in ("", "production"),
                b.integration_id in (None, "int-s3"),
                b.resource_classes == () or "object-storage" in b.resource_classes,
                b.resource_subclasses == () or "s3" in b.resource_subclasses,
                all(tag in ("red", "team=a") for tag in b.tags),
            )
        )

    giving = [b for b in found if matches(b) and name in b.fields and (b.fields[name].value or b.fields[name].sealed)]
    level = [b for b in giving if b.inventory_id] or giving
    most = max((conditions(b) for b in level), default=0)
    narrow = [b for b in level if conditions(b) == most]

    def scope(b: Bundle) -> list[frozenset[Any]]:
        every: dict[str, frozenset[Any]] = {
            "environment": frozenset({"production", "staging", "else"}),
            "classes": frozenset({"object-storage", "database", "else"}),
            "subclasses": frozenset({"s3", "postgresql", "else"}),
            "integration": frozenset({"int-s3", "int-fs", "else"}),
        }
        return [
            frozenset({b.environment}) if b.environment else every["environment"],
            frozenset(b.resource_classes) or every["classes"],
            frozenset(b.resource_subclasses) or every["subclasses"],
            frozenset({b.integration_id}) if b.integration_id else every["integration"],
        ]

    def is_inside(one: Bundle, other: Bundle) -> bool:
        parts = all(a <= b for a, b in zip(scope(one), scope(other), strict=True))
        return parts and set(other.tags) <= set(one.tags)

    return {b.id for b in narrow if not any(is_inside(o, b) and not is_inside(b, o) for o in narrow)}


@given(bundles())
def test_precedence_is_that_of_the_model(found: list[Bundle]) -> None:
    result = filling(found)
    for name in ("root", "access_key", "secret_access_key"):
        winners = [b for b in found if b.id in model(found, name)]
        values = {b.fields[name].model_dump_json() for b in winners}
        if len(values) == 1:
            assert result.fields[name].bundle_id == min(b.id for b in winners)
        else:
            assert name not in result.fields
        assert (name in result.ties) is (len(values) > 1)
    assert "colour" not in result.fields


@given(bundles())
def test_bundles_that_are_not_expected_to_meet_are_not_for_one_resource_with_one_tag(found: list[Bundle]) -> None:
    target = Target(
        make.a_resource(**{"class": "object-storage", "subclass": "s3"}), "production", IntegrationId("int-s3")
    )
    matching = [b for b in found if is_for(b, target)]
    assert all(can_meet(one, other) for one in matching for other in matching)


def test_classes_of_a_scope_are_compared_however_they_are_written() -> None:
    written = make.a_bundle("b1", resource_classes=("ObjectStorage",), resource_subclasses=("S3",))
    plain = make.a_bundle("b2", resource_classes=("object-storage",), resource_subclasses=("s3",))
    resource = make.a_resource(**{"class": "Object Storage", "subclass": "S3"})
    for bundle in (written, plain):
        assert is_for(bundle, TARGET)
        assert is_for(bundle, Target(resource, "production", S3.id))
        assert not is_for(bundle, Target(make.a_resource(), "production", S3.id))
    assert can_meet(written, plain)
    assert not goes_before(written, plain)
    assert not goes_before(plain, written)
    wider = make.a_bundle("b3", resource_classes=("OBJECT_STORAGE", "database"), resource_subclasses=("s3",))
    assert goes_before(written, wider)
