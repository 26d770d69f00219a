"""Secrets of apps and bundles are taken under other keys, and nothing else about them changes."""

import pytest
from assignment.sealing.usecases import list_sealed
from contracts.field_values import FieldValue, SealedValue
from contracts.messages.assignment import AppReconfigured
from contracts.messages.bundles import AppBundlesChanged, BundleChanged, BundlesChanged
from contracts.messages.connector.connection_tests import TestConnection
from contracts.messages.resealing import AppResealed, BundleResealed, ResealApp, ResealBundle, Resealed
from contracts.queries.sealing import KeyUse, SealedOwners, SealedQuestion
from contracts.values import AppId, BundleId

from tests.support import builders as make
from tests.support.builders import clear, sealed
from tests.unit.assignment.bundled import Bundled, assign, bundled, reconfigure

KEYS = {"root": clear("data"), "access_key": clear("AKIA"), "secret_access_key": sealed()}
SECRET = "secret_access_key"


@pytest.fixture
async def service() -> Bundled:
    return await bundled()


def of(value: FieldValue) -> SealedValue:
    assert value.sealed is not None
    return value.sealed


def anew(value: FieldValue, key_id: str = "new") -> Resealed:
    """The value under another key."""
    old = of(value)
    return Resealed(field=SECRET, nonce=old.nonce, sealed=old.model_copy(update={"key_id": key_id, "nonce": key_id}))


def app_command(*resealed: Resealed, app_id: str = "app-1") -> ResealApp:
    return ResealApp(organization_id=make.ORG, app_id=AppId(app_id), resealed=resealed)


def bundle_command(*resealed: Resealed, bundle_id: str = "b1") -> ResealBundle:
    return ResealBundle(organization_id=make.ORG, bundle_id=BundleId(bundle_id), resealed=resealed)


async def kept(service: Bundled, key_id: str = "new", *, limit: int = 100) -> SealedOwners:
    question = SealedQuestion(key_id=key_id, limit=limit)
    return await list_sealed(service.store, service.bundles, make.ORG, question)


async def test_an_app_is_resealed_once_and_says_so(service: Bundled) -> None:
    await service.says(assign(fields=KEYS))
    before = await service.app("app-1")
    command = app_command(anew(before.fields[SECRET]))
    for replaced in (1, 0):
        assert (await service.do(command)).result == {"id": "app-1", "replaced": replaced}
    app = await service.app("app-1")
    assert of(app.fields[SECRET]).key_id == "new"
    changed = {"fields": app.fields, "revision": 2, "resealed_in": 2, "same_since": 1}
    assert app == before.model_copy(update=changed)
    assert [event.app for event in service.events(AppResealed)] == [app]
    # What it is reached with is the same: neither is it configured anew, nor is its connection tested.
    assert service.events(AppReconfigured) == []
    assert len(service.events(TestConnection)) <= 1


async def test_an_app_tells_since_when_nothing_but_its_keys_changed(service: Bundled) -> None:
    await service.says(assign(fields=KEYS), reconfigure(fields=KEYS, name="renamed"))
    for key_id, revision in (("new", 3), ("newer", 4)):
        await service.says(app_command(anew((await service.app("app-1")).fields[SECRET], key_id)))
        app = await service.app("app-1")
        assert (app.revision, app.changed_in) == (revision, 2)
    await service.says(reconfigure(fields=KEYS, name="renamed again"))
    app = await service.app("app-1")
    assert (app.revision, app.changed_in) == (5, 5)


async def test_what_is_sent_back_as_it_was_read_is_no_change_after_a_rotation(service: Bundled) -> None:
    await service.says(assign(fields=KEYS))
    await service.says(app_command(anew((await service.app("app-1")).fields[SECRET])))
    read = await service.app("app-1")
    await service.says(reconfigure(fields=read.fields))
    assert await service.app("app-1") == read
    assert service.events(AppReconfigured) == []


async def test_a_secret_that_was_changed_since_stays(service: Bundled) -> None:
    await service.says(assign(fields=KEYS))
    late = app_command(anew((await service.app("app-1")).fields[SECRET]))
    newer = FieldValue(sealed=of(sealed()).model_copy(update={"nonce": "newer", "key_id": "newer"}))
    await service.says(reconfigure(fields={**KEYS, SECRET: newer}))
    assert (await service.do(late)).result == {"id": "app-1", "replaced": 0}
    assert (await service.app("app-1")).fields[SECRET] == newer


async def test_what_is_gone_or_was_never_there_holds_nothing_to_replace(service: Bundled) -> None:
    await service.says(assign(fields=KEYS), make.create_bundle("b1", fields=KEYS))
    resealed = anew(KEYS[SECRET])
    await service.says(make.remove_app("app-1"), make.remove_bundle("b1"))
    assert (await service.rejection(app_command(resealed))).code == "app_not_found"
    assert (await service.rejection(bundle_command(resealed))).code == "bundle_not_found"
    assert (await service.rejection(app_command(resealed, app_id="never"))).code == "app_not_found"
    # The id is as good as before.
    assert (await service.do(assign("never", fields=KEYS))).accepted
    assert service.events(AppResealed) == service.events(BundleResealed) == []


async def test_a_bundle_is_resealed_and_its_apps_go_on_following(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign())
    told = len(service.events(BundlesChanged))
    resealed = anew(KEYS[SECRET])
    for replaced in (1, 0):
        assert (await service.do(bundle_command(resealed))).result == {"id": "b1", "replaced": replaced}
    [event] = service.events(BundleResealed)
    assert of(event.bundle.fields[SECRET]).key_id == "new"
    # Apps hear nothing: each gets the same value by a message of its own.
    assert (len(service.events(BundlesChanged)), service.events(BundleChanged)) == (told, [])
    await service.says(app_command(resealed))
    app = await service.app("app-1")
    assert (app.fields[SECRET].bundle_id, app.fields[SECRET].sealed) == ("b1", event.bundle.fields[SECRET].sealed)
    # Nobody has anything to follow: the bundle and the app have the same value.
    await service.says(make.create_bundle("b2", environment="elsewhere", fields={"root": clear("other")}))
    assert service.events(AppBundlesChanged) == []
    assert service.events(AppReconfigured) == []


async def test_what_is_sealed_under_other_keys_is_listed_bundles_first(service: Bundled) -> None:
    await service.says(make.create_bundle("b1", fields=KEYS), assign("app-1"), assign("app-2", fields=KEYS))
    key_id = of(KEYS[SECRET]).key_id
    found = await kept(service)
    assert [(owner.kind, owner.id, [each.sealed_for for each in owner.fields]) for owner in found.owners] == [
        ("bundle", "b1", ["b1"]),
        ("connector", "app-1", ["b1"]),
        ("connector", "app-2", ["app-2"]),
    ]
    assert found.uses == (
        KeyUse(kind="bundle", key_id=key_id, values=1),
        KeyUse(kind="connector", key_id=key_id, values=2),
    )
    assert [owner.id for owner in (await kept(service, limit=1)).owners] == ["b1"]
    assert (await kept(service, key_id)).owners == ()
    await service.says(app_command(anew(KEYS[SECRET]), app_id="app-2"))
    assert [owner.id for owner in (await kept(service)).owners] == ["b1", "app-1"]
