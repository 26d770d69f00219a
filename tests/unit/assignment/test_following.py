"""Apps are filled by bundles, and follow them."""

import pytest
from assignment.apps.usecases import reads
from contracts.field_values import FieldValue
from contracts.messages.assignment import App, AppReconfigured
from contracts.messages.bundles import AppBundlesChanged, BundleChanged
from contracts.values import AppId, BundleId

from tests.support import builders as make
from tests.support.builders import clear, sealed
from tests.unit.assignment.bundled import BUCKET, Bundled, a_rename, assign, bundled, reconfigure

KEYS = {"root": clear("data"), "access_key": clear("AKIA"), "secret_access_key": sealed()}


@pytest.fixture
async def service() -> Bundled:
    return await bundled()


def origins(app: App) -> dict[str, str | None]:
    return {name: value.bundle_id for name, value in app.fields.items()}


def values(app: App) -> dict[str, str | None]:
    return {name: value.value for name, value in app.fields.items()}


async def test_a_bundle_completes_an_app_that_was_given_nothing(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign())
    app = await service.app("app-1")
    assert (app.lacking, app.revision) == ((), 1)
    assert origins(app) == dict.fromkeys(KEYS, "b1")
    assert app.fields["secret_access_key"].sealed == KEYS["secret_access_key"].sealed
    shown = await reads.get_reachable_app(service.store, make.ORG, AppId("app-1"))
    assert shown.bundle_names == {"b1": "defaults"}


async def test_what_is_given_is_its_own_and_an_empty_text_is_nothing(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS))
    await service.says(assign(fields={"root": clear("mine"), "access_key": clear("")}))
    app = await service.app("app-1")
    assert (values(app)["root"], values(app)["access_key"]) == ("mine", "AKIA")
    assert origins(app) == {"root": None, "access_key": "b1", "secret_access_key": "b1"}


async def test_apps_follow_what_came_from_a_bundle_and_keep_their_own(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign(fields={"root": clear("mine")}))
    changed = {**KEYS, "root": clear("other"), "access_key": clear("BKIA")}
    await service.says(make.change_bundle("b1", fields=changed))
    app = await service.app("app-1")
    assert (values(app)["root"], values(app)["access_key"], app.revision) == ("mine", "BKIA", 2)
    assert service.events(AppReconfigured)[-1].app == app


async def test_an_app_that_a_bundle_leaves_incomplete_says_so_and_is_filled_again(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign(), make.remove_bundle("b1"))
    app = await service.app("app-1")
    assert app.fields == {}
    assert {lack.field for lack in app.lacking} == {f"fields.{name}" for name in KEYS}
    await service.says(make.create_bundle("b2", fields=KEYS))
    app = await service.app("app-1")
    assert (app.lacking, origins(app)) == ((), dict.fromkeys(KEYS, "b2"))


async def test_a_bundle_that_goes_before_takes_over(service: Bundled) -> None:
    await service.says(make.create_bundle("wide", fields=KEYS), assign())
    await service.says(make.create_bundle("narrow", tags=["red"], fields={"root": clear("red")}))
    assert origins(await service.app("app-1"))["root"] == "narrow"
    await service.says(make.create_bundle("inventory", inventory_id="inv-1", fields={"root": clear("inv")}))
    assert values(await service.app("app-1"))["root"] == "inv"
    await service.says(make.change_bundle("inventory", resource_classes=["database"], fields={"root": clear("inv")}))
    assert origins(await service.app("app-1"))["root"] == "narrow"


async def test_only_apps_that_are_others_now_hear_of_a_bundle(service: Bundled) -> None:
    await service.says(assign("app-1"), assign("app-2", environment="staging"))
    await service.says(make.create_bundle("b1", environment="staging", fields=KEYS))
    assert [told.app_id for told in service.events(AppBundlesChanged)] == ["app-2"]
    await service.says(make.change_bundle("b1", name="renamed", environment="staging", fields=KEYS))
    assert len(service.events(AppBundlesChanged)) == 1
    shown = await reads.list_reachable_apps(service.store, make.ORG, None)
    assert [app.bundle_names for app in shown] == [{}, {"b1": "renamed"}]


async def test_tags_class_and_environment_decide_again_when_they_change(service: Bundled) -> None:
    blue = BUCKET.model_copy(update={"tags": ("blue",), "revision": 2})
    await service.says(
        make.create_bundle("red", tags=["red"], fields=KEYS),
        make.create_bundle("blue", tags=["blue"], fields={"root": clear("blue")}),
        assign(),
        make.resource_changed(blue),
    )
    app = await service.app("app-1")
    assert (values(app), app.resource.tags) == ({"root": "blue"}, ("blue",))
    await service.says(make.create_bundle("staging", environment="staging", tags=["blue"], fields=KEYS))
    await service.says(reconfigure(resource=blue, environment="staging"))
    assert origins(await service.app("app-1")) == dict.fromkeys(KEYS, "staging")


async def test_a_tie_is_refused_when_it_arises_and_shows_in_an_app_that_gets_into_one(service: Bundled) -> None:
    both = BUCKET.model_copy(update={"tags": ("red", "blue"), "revision": 2})
    red = {**KEYS, "root": clear("red")}
    await service.says(
        make.create_bundle("b1", name="Red", tags=["red"], fields=red),
        make.create_bundle("b2", name="Blue", tags=["blue"], fields={"root": clear("blue")}),
        assign(),
    )
    problem = await service.rejection(assign("app-2", resource=both))
    assert (problem.code, [f.field for f in problem.fields]) == ("bundles_tie", ["fields.root"])
    assert "'Blue' and 'Red'" in problem.detail
    await service.says(assign("app-3", resource=both, fields={"root": clear("own")}), make.resource_changed(both))
    app = await service.app("app-1")
    assert "root" not in app.fields
    [lack] = app.lacking
    assert (lack.field, "'Blue' and 'Red'" in lack.detail) == ("fields.root", True)
    assert (await service.app("app-3")).lacking == ()
    await service.says(make.remove_bundle("b2"))
    assert ((await service.app("app-1")).lacking, values(await service.app("app-1"))["root"]) == ((), "red")


async def test_a_tie_about_what_nobody_needs_is_shown_too(service: Bundled) -> None:
    both = BUCKET.model_copy(update={"tags": ("red", "blue"), "revision": 2})
    await service.says(
        make.create_bundle("b1", tags=["red"], fields={**KEYS, "use_tls": clear("true")}),
        make.create_bundle("b2", tags=["blue"], fields={"use_tls": clear("false")}),
        assign(),
        make.resource_changed(both),
    )
    assert [lack.field for lack in (await service.app("app-1")).lacking] == ["fields.use_tls"]


async def test_a_value_that_does_not_fit_is_refused_or_left_out_by_name(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", name="TLS", fields={**KEYS, "use_tls": clear("true")}), assign())
    await service.says(make.change_bundle("b1", name="TLS", fields={**KEYS, "use_tls": clear("canary-perhaps")}))
    app = await service.app("app-1")
    [lack] = app.lacking
    assert (lack.field, "use_tls" in app.fields) == ("fields.use_tls", False)
    assert "'TLS'" in lack.detail
    problem = await service.rejection(assign("app-2"))
    assert (problem.code, [f.field for f in problem.fields]) == ("configuration_invalid", ["fields.use_tls"])
    assert "'TLS'" in problem.detail
    assert "canary" not in f"{problem} {lack}"
    await service.says(make.change_bundle("b1", name="TLS", fields={**KEYS, "use_tls": clear("false")}))
    app = await service.app("app-1")
    assert (app.lacking, values(app)["use_tls"]) == ((), "false")


async def test_what_should_stay_goes_on_following(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign())
    kept = {name: FieldValue(keep=True) for name in KEYS}
    await service.says(reconfigure(fields=kept, name="renamed"))
    assert origins(await service.app("app-1")) == dict.fromkeys(KEYS, "b1")
    await service.says(make.change_bundle("b1", fields={**KEYS, "root": clear("later")}))
    await service.says(reconfigure(fields={**kept, "access_key": clear("mine")}))
    app = await service.app("app-1")
    assert (values(app)["root"], values(app)["access_key"]) == ("later", "mine")
    assert origins(app) == {"root": "b1", "access_key": None, "secret_access_key": "b1"}
    await service.says(make.remove_bundle("b1"))
    assert values(await service.app("app-1")) == {"access_key": "mine"}


async def test_the_passphrase_of_a_store_stays_whatever_becomes_of_the_bundle(service: Bundled) -> None:
    first = sealed()
    assert first.sealed
    second = FieldValue(sealed=first.sealed.model_copy(update={"nonce": "b3RoZXI="}))
    await service.says(make.create_bundle("b1", fields={**KEYS, "passphrase": first}), assign(kind="store"))
    await service.says(make.change_bundle("b1", fields={**KEYS, "passphrase": second}))
    await service.says(reconfigure(kind="store", name="renamed"))
    await service.says(make.remove_bundle("b1"))
    app = await service.app("app-1")
    assert app.fields == {"passphrase": first.model_copy(update={"bundle_id": BundleId("b1")})}
    await service.says(reconfigure(kind="store", fields={"passphrase": second}))
    assert (await service.app("app-1")).fields == {"passphrase": second}


async def test_a_renamed_environment_takes_nothing_from_apps_meanwhile(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", environment="prod", fields=KEYS), assign(environment="prod"))
    await service.hear(a_rename("prod", "production", 2))
    revisions = list[App]()
    while service.collect():
        await service.hear(service.waiting.pop(0))
        revisions.append(await service.app("app-1"))
    assert all(app.lacking == () for app in revisions)
    assert (revisions[-1].environment, origins(revisions[-1])) == ("production", dict.fromkeys(KEYS, "b1"))
    [changed] = service.events(BundleChanged)
    assert (changed.bundle.environment, changed.bundle.revision) == ("production", 2)


async def test_a_process_that_died_before_it_told_apps_tells_them_after_all(service: Bundled) -> None:
    await service.says(assign())
    aggregate = await service.bundles.bundles.load(make.ORG, "b1")
    await service.bundles.bundles.save(aggregate, make.a_bundle("b1", fields=KEYS))
    assert (await service.app("app-1")).lacking
    command = make.wrap(reconfigure())
    await service.says(command, command)
    assert (await service.app("app-1")).lacking == ()


async def test_an_app_whose_integration_is_not_known_stays_as_it_is(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign())
    aggregate = await service.store.load_offer(make.s3_integration().id, cause=make.wrap(assign()))
    await service.store.offers.save(aggregate[0], None)
    await service.says(make.remove_bundle("b1"))
    assert origins(await service.app("app-1")) == dict.fromkeys(KEYS, "b1")


async def test_a_following_app_keeps_the_order_of_its_fields(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS))
    await service.says(assign(fields={"use_tls": clear("true")}))
    before = list((await service.app("app-1")).fields)
    await service.says(make.change_bundle("b1", fields={**dict(reversed(KEYS.items())), "access_key": clear("B")}))
    assert list((await service.app("app-1")).fields) == before
