"""What an app is, and what becomes of it."""

from typing import Any

import pytest
from assignment.apps.domain import apps
from assignment.apps.domain.offers import check_offer, supersedes
from contracts.endpoints import LONGEST_ADDRESS
from contracts.errors import CairnError, Conflict, Invalid, NotFound
from contracts.field_values import FieldValue
from contracts.hooks import Hooks

from tests.support import builders as make

INTEGRATIONS = [make.fs_integration(), make.s3_integration()]
HOSTED = make.a_resource(endpoints=[{"endpoint": "files.example", "kind": "host"}], revision=3)


def an_app(**description: Any) -> Any:
    return apps.assign(make.assign_app("app-1", resource=HOSTED, **description), INTEGRATIONS, known=False)


def test_an_app_keeps_what_was_said_and_gets_what_was_not() -> None:
    app = an_app(data_classes=["pii", "database"], environment="production")
    assert (app.id, app.kind, app.name, app.revision) == ("app-1", "source", "files", 1)
    assert (app.integration.id, app.integration.version, app.protocol) == ("int-fs", "1.0.0", "fs")
    assert (app.data_classes, app.environment, app.temperature) == (("pii", "database"), "production", "hot")
    assert (app.endpoints, app.endpoints_from_resource) == (("files.example",), True)
    assert app.resource == HOSTED


def test_endpoints_and_temperature_of_its_own_are_kept() -> None:
    app = an_app(endpoints=["b", "a"], temperature="cold")
    assert (app.endpoints, app.endpoints_from_resource, app.temperature) == (("b", "a"), False, "cold")


def test_a_source_keeps_its_hooks_and_a_store_has_none() -> None:
    hooks = {"pre_job": "freeze", "post_job": "thaw", "on_failure": "warn", "timeout_seconds": 30}
    assert an_app(hooks=hooks).hooks == Hooks.model_validate(hooks)
    with pytest.raises(Invalid) as refused:
        an_app(kind="store", hooks=hooks)
    assert refused.value.fields == {"hooks": "are for sources and destinations"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "bell\x07"}, "name"),
        ({"environment": "a\nb"}, "environment"),
        ({"data_classes": ["ok", ""]}, "data_classes.1"),
        ({"data_classes": ["x"] * 201}, "data_classes"),
        ({"endpoints": ["\x00"]}, "endpoints.0"),
        ({"endpoints": ["files.example", "user:secret@files.example"]}, "endpoints.1"),
        ({"endpoints": ["two words"]}, "endpoints.0"),
        ({"hooks": {"pre_job": "a/b"}}, "hooks.pre_job"),
        ({"hooks": {"post_job": ".profile"}}, "hooks.post_job"),
    ],
)
def test_labels_that_cannot_be_shown_are_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        an_app(**changes)
    assert refused.value.code == "app_invalid"
    assert field in refused.value.fields
    assert "secret" not in str(refused.value)


def test_an_address_that_a_resource_may_have_may_be_one_of_a_connector() -> None:
    longest = "x" * LONGEST_ADDRESS
    assert an_app(endpoints=[longest, "/srv/two words"]).endpoints == (longest, "/srv/two words")


def test_an_address_from_before_they_were_looked_at_may_be_sent_back() -> None:
    before = an_app().model_copy(update={"endpoints": ("two words",), "endpoints_from_resource": False})
    again = make.reconfigure_app("app-1", resource=HOSTED, endpoints=["two words"])
    assert apps.reconfigure(before, again, INTEGRATIONS).endpoints == ("two words",)


@pytest.mark.parametrize(
    ("decide", "error", "code"),
    [
        (lambda: apps.assign(make.assign_app(), INTEGRATIONS, known=True), Conflict, "app_exists"),
        (lambda: apps.assign(make.assign_app(fields={"colour": make.clear("x")}), INTEGRATIONS, known=False), Invalid,
         "configuration_invalid"),
        (lambda: apps.assign(make.assign_app(fields={"root": FieldValue(keep=True)}), INTEGRATIONS, known=False),
         Conflict, "nothing_masked"),
        (lambda: apps.reconfigure(None, make.reconfigure_app("app-1"), INTEGRATIONS), NotFound, "app_not_found"),
        (lambda: apps.reconfigure(an_app(), make.reconfigure_app("app-1", kind="store"), INTEGRATIONS), Conflict,
         "app_kind_fixed"),
        (lambda: apps.require_app(None), NotFound, "app_not_found"),
    ],
)  # fmt: skip
def test_what_is_refused(decide: Any, error: type[CairnError], code: str) -> None:
    with pytest.raises(error) as refused:
        decide()
    assert refused.value.code == code


def test_a_reconfigured_app_is_said_anew_and_stays_itself() -> None:
    command = make.reconfigure_app("app-1", name="renamed", fields={"root": make.clear("/home")})
    changed = apps.reconfigure(an_app(environment="production"), command, INTEGRATIONS)
    assert (changed.id, changed.name, changed.environment, changed.revision) == ("app-1", "renamed", "", 2)
    assert changed.fields == {"root": make.clear("/home")}


def test_the_paths_of_an_app_are_kept_in_their_plain_form() -> None:
    odd = {"root": make.clear("/srv//x/../data")}
    assigned = apps.assign(make.assign_app(fields=odd), INTEGRATIONS, known=False)
    changed = apps.reconfigure(an_app(), make.reconfigure_app("app-1", fields=odd), INTEGRATIONS)

    assert assigned.fields == changed.fields == {"root": make.clear("/srv/data")}


def renamed(revision: int) -> Any:
    endpoints = [{"endpoint": "new.example", "kind": "host"}]
    return make.a_resource(name="renamed", endpoints=endpoints, revision=revision)


def test_an_app_shows_its_resource_as_it_is_now() -> None:
    known = apps.note_change(None, renamed(4))
    shown = apps.refresh(an_app(), known)
    assert (shown.resource.name, shown.endpoints, shown.revision) == ("renamed", ("new.example",), 1)
    assert apps.refresh(an_app(endpoints=["own"]), known).endpoints == ("own",)


def test_older_news_of_a_resource_are_no_news() -> None:
    known = apps.note_change(None, renamed(4))
    assert apps.note_change(known, renamed(4)) is None
    assert apps.note_change(known, renamed(3)) is None
    assert apps.note_removal(known, 4) is None
    assert apps.refresh(an_app(), apps.note_change(None, renamed(2))) == an_app()
    assert apps.refresh(an_app(), None) == an_app()


def test_a_removed_resource_is_shown_as_it_was_last() -> None:
    removed = apps.note_removal(apps.note_change(None, renamed(4)), 5)
    assert removed is not None
    assert (removed.removed, removed.revision) == (True, 5)
    assert apps.refresh(an_app(), removed).resource.name == "renamed"
    unseen = apps.note_removal(None, 2)
    assert unseen is not None
    assert apps.refresh(an_app(), unseen) == an_app()
    assert apps.note_change(removed, renamed(4)) is None


@pytest.mark.parametrize(
    ("known", "offered", "taken"),
    [
        (None, {"version": "0.1"}, True),
        ({"version": "1.9.0"}, {"version": "1.10.0"}, True),
        ({"version": "1.10.0"}, {"version": "1.9.0"}, False),
        ({"version": "1.0.0"}, {"version": "1.0.0"}, False),
        ({"version": "1.0.0"}, {"version": "1.0.0", "title": "Other words"}, True),
        ({"version": "2"}, {"version": "1.0.0", "title": "Other words"}, False),
    ],
)
def test_the_newest_version_of_an_integration_wins(known: Any, offered: dict[str, Any], taken: bool) -> None:
    current = make.fs_integration(**known) if known else None
    assert supersedes(make.fs_integration(**offered), current) is taken


@pytest.mark.parametrize(
    "protocol",
    [
        {**make.a_protocol("fs"), "schemas": {}},
        make.a_protocol("fs", schema={"type": "nonsense"}),
    ],
)
def test_a_manifest_that_cannot_be_checked_against_is_refused(protocol: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="manifest_invalid"):
        check_offer(make.fs_integration(protocols=[protocol]))


def test_an_app_may_lack_what_is_required_until_it_is_filled_in() -> None:
    app = an_app(fields={"root": make.clear("")})
    assert [(lack.field, lack.detail) for lack in app.lacking] == [("fields.root", "is missing")]
    assert app.fields == {"root": make.clear("")}
    filled = apps.reconfigure(app, make.reconfigure_app("app-1", fields={"root": make.clear("/srv")}), INTEGRATIONS)
    assert filled.lacking == ()


def test_a_secret_that_should_stay_is_the_one_of_the_moment() -> None:
    first = make.sealed()
    assert first.sealed
    second = FieldValue(sealed=first.sealed.model_copy(update={"nonce": "b3RoZXI="}))
    fields = {"root": make.clear("/srv"), "passphrase": first}
    app = an_app(fields=fields).model_copy(update={"fields": {**fields, "passphrase": second}})
    kept = {"root": make.clear("/new"), "passphrase": FieldValue(keep=True)}
    changed = apps.reconfigure(app, make.reconfigure_app("app-1", fields=kept), INTEGRATIONS)
    assert changed.fields == {"root": make.clear("/new"), "passphrase": second}
    dropped = apps.reconfigure(app, make.reconfigure_app("app-1", fields={"root": make.clear("/x")}), INTEGRATIONS)
    assert "passphrase" not in dropped.fields


@pytest.mark.parametrize("name", ["root", "secret"])
def test_nothing_can_stay_where_no_secret_is(name: str) -> None:
    fields = {"root": make.clear("/srv"), name: FieldValue(keep=True)}
    with pytest.raises(Conflict) as refused:
        apps.reconfigure(an_app(), make.reconfigure_app("app-1", fields=fields), INTEGRATIONS)
    assert (refused.value.code, list(refused.value.fields)) == ("nothing_masked", [f"fields.{name}.masked"])
