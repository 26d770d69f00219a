"""Decisions of the catalog."""

from typing import Any

import pytest
from catalog.inventories.domain import inventories, resources
from contracts.endpoints import endpoint_of
from contracts.errors import CairnError, Conflict, Invalid, NotFound

from tests.support import builders as make


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("files.example", "host"),
        ("files.example:9000", "host"),
        ("localhost", "host"),
        ("bücher.example", "host"),
        ("127.0.0.1", "inet4"),
        ("127.0.0.1:9000", "inet4"),
        ("1.2.3.999", "host"),
        ("::1", "inet6"),
        ("fe80::1%eth0", "inet6"),
        ("[::1]", "inet6"),
        ("[2001:db8::2]:443", "inet6"),
        ("https://s3.example:9000/bucket", "host"),
        ("http://10.0.0.1:80", "inet4"),
        ("nfs.example:/export", "host"),
        ("/srv/files of @all", "identifier"),
        ("/", "identifier"),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "identifier"),
        ("3F2504E0-4F89-41D3-9A0C-0305E82C3301", "identifier"),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301.example", "host"),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c330", "host"),
        ("arn:aws:s3:::backups", "identifier"),
        ("urn:scaleway:p:block:fr-par-1:volume:1", "identifier"),
        ("URN:x", "identifier"),
        ("urn.example:1", "host"),
    ],
)
def test_the_kind_of_an_endpoint_follows_from_its_address(address: str, kind: str) -> None:
    endpoint = endpoint_of(address)
    assert (endpoint.endpoint, endpoint.shown_kind) == (address, kind)
    # Readers of the version before know of no identifiers.
    assert endpoint.kind == ("host" if kind == "identifier" else kind)


@pytest.mark.parametrize(
    "address",
    ["", "  ", "a b", "host:0", "host:65536", "host:http", "host:\uff19", "[::1", "[host]:1", "[::1]9", "a:b:c", ":80",
     "http://user:pass@host", "x" * 301, "line\nbreak"],
)  # fmt: skip
def test_an_address_that_reaches_nothing_is_refused_in_words(address: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has|is|contains) ") as refused:
        endpoint_of(address)
    assert "pass" not in str(refused.value).replace("password", "")


def test_whoever_is_refused_an_endpoint_hears_of_identifiers() -> None:
    with pytest.raises(ValueError, match=r"an IP address, .*; or an identifier: a path, a UUID, .*`urn:` or `arn:`"):
        endpoint_of("not a host!")


@pytest.mark.parametrize("class_", ["", "  "])
def test_a_resource_may_have_no_class(class_: str) -> None:
    command = make.register_resource("inv-1", **{"class": class_, "subclass": ""})
    made = resources.register_resource(make.an_inventory(), command, known=False, urn_taken=False)
    assert (made.class_, made.subclass) == ("", "")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"urn": ""}, "urn"),
        ({"urn": "u" * 513}, "urn"),
        ({"urn": "urn:\x00"}, "urn"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "n" * 600}, "name"),
        ({"class": "\x07"}, "class"),
        ({"subclass": "\x7f"}, "subclass"),
        ({"service": "s" * 256}, "service"),
        ({"endpoints": ["ok.example", "not ok"]}, "endpoints.1"),
        ({"endpoints": ["h"] * 101}, "endpoints"),
        ({"tags": ["fine", ""]}, "tags.1"),
        ({"tags": ["t"] * 201}, "tags"),
    ],
)
def test_a_description_that_cannot_be_kept_names_its_fields(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        resources.register_resource(
            make.an_inventory(), make.register_resource("inv-1", **changes), known=False, urn_taken=False
        )
    assert refused.value.code == "resource_invalid"
    assert field in refused.value.fields


def test_a_resource_keeps_what_was_said_in_its_order() -> None:
    command = make.register_resource(
        "inv-1", "res-9", endpoints=["b.example", "10.0.0.1:9000"], tags=["z", "a"], service="crm"
    )
    resource = resources.register_resource(make.an_inventory(), command, known=False, urn_taken=False)
    assert [(e.endpoint, e.kind) for e in resource.endpoints] == [("b.example", "host"), ("10.0.0.1:9000", "inet4")]
    assert (resource.id, resource.tags, resource.service, resource.revision) == ("res-9", ("z", "a"), "crm", 1)
    assert not resource.locked


def test_classes_are_open_ended() -> None:
    command = make.register_resource("inv-1", **{"class": "teapot", "subclass": "brown"})
    resource = resources.register_resource(make.an_inventory(), command, known=False, urn_taken=False)
    assert (resource.class_, resource.subclass) == ("teapot", "brown")


def test_a_resource_without_a_name_goes_by_its_urn() -> None:
    command = make.register_resource("inv-1", urn="urn:x", name=" ")
    assert resources.register_resource(make.an_inventory(), command, known=False, urn_taken=False).name == "urn:x"


REGISTER = make.register_resource("inv-1", "res-1")
CHANGE = make.change_resource("inv-1", "res-1", name="renamed")


@pytest.mark.parametrize(
    ("decide", "error", "code"),
    [
        (lambda: inventories.create_inventory(make.create_inventory(), known=True), Conflict, "inventory_exists"),
        (lambda: inventories.create_inventory(make.create_inventory(name="  "), known=False), Invalid,
         "inventory_invalid"),
        (lambda: inventories.create_inventory(make.create_inventory(name="x" * 256), known=False), Invalid,
         "inventory_invalid"),
        (lambda: inventories.change_inventory(None, make.change_inventory("inv-1")), NotFound, "inventory_not_found"),
        (lambda: inventories.change_inventory(make.an_inventory(), make.change_inventory("inv-1", kind="aws")),
         Conflict, "inventory_type_fixed"),
        (lambda: inventories.change_inventory(make.an_inventory(), make.change_inventory("inv-1", name="")), Invalid,
         "inventory_invalid"),
        (lambda: resources.register_resource(None, REGISTER, known=False, urn_taken=False), NotFound,
         "inventory_not_found"),
        (lambda: resources.register_resource(make.an_inventory(type="ovh"), REGISTER, known=False, urn_taken=False),
         Conflict, "inventory_managed"),
        (lambda: resources.register_resource(make.an_inventory(), REGISTER, known=False, urn_taken=True), Conflict,
         "urn_taken"),
        (lambda: resources.register_resource(make.an_inventory(), REGISTER, known=True, urn_taken=False), Conflict,
         "resource_exists"),
        (lambda: resources.change_resource(make.an_inventory(), None, CHANGE), NotFound, "resource_not_found"),
        (lambda: resources.change_resource(make.an_inventory(), make.a_resource(inventory_id="other"), CHANGE),
         NotFound, "resource_not_found"),
        (lambda: resources.change_resource(make.an_inventory(), make.a_resource(urn="urn:other"), CHANGE), Conflict,
         "urn_fixed"),
        (lambda: resources.remove_resource(make.an_inventory(), None, inventory_id="inv-1"), NotFound,
         "resource_not_found"),
        (lambda: resources.remove_resource(None, make.a_resource(), inventory_id="inv-1"), NotFound,
         "inventory_not_found"),
    ],
)  # fmt: skip
def test_what_is_refused(decide: Any, error: type[CairnError], code: str) -> None:
    with pytest.raises(error) as refused:
        decide()
    assert refused.value.code == code
    assert refused.value.detail.endswith(".")


def test_a_change_keeps_id_urn_and_lock() -> None:
    current = make.a_resource(locked=True, revision=4, tags=("old",))
    changed = resources.change_resource(make.an_inventory(), current, CHANGE)
    assert (changed.id, changed.urn, changed.locked) == (current.id, current.urn, True)
    assert (changed.name, changed.tags, changed.revision) == ("renamed", (), 5)
    assert changed == type(changed).model_validate(changed.model_dump(by_alias=True))


def test_an_inventory_gets_a_new_name() -> None:
    changed = inventories.change_inventory(make.an_inventory(revision=2), make.change_inventory("inv-1", name="attic"))
    assert (changed.name, changed.revision) == ("attic", 3)


def test_why_resources_of_a_provider_are_left_alone_is_said_in_good_words() -> None:
    with pytest.raises(Conflict, match="of an aws inventory come from its provider"):
        resources.require_hand_made(make.an_inventory(type="aws"))
