"""Which places a restore keeps out of, by what the worker knows of stores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from connector.restore.guarded_places import guarded_places
from contracts.values import OrganizationId
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.errors import RootForbidden
from integrations.sdk.locations import StoreLocation

from tests.unit.connector.parts import ORG, an_app
from tests.unit.connector.workshop import Folders, Workshop

ELSEWHERE = OrganizationId("elsewhere")


class Rooted(Folders):
    """Stores lie where their fields say; one root is none that this worker may touch."""

    seen: list[AppConfiguration]

    def store_location(self, configuration: Any) -> StoreLocation:
        if configuration.text("root") == "/forbidden":
            raise RootForbidden("/forbidden", "it is not in a directory that workers may touch")
        self.seen.append(configuration)
        return StoreLocation(address=configuration.text("root"), local_path=Path(configuration.text("root")))


async def test_the_places_of_all_known_stores_and_of_the_hooks_are_guarded(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    sealed = {"sealed": {"key_id": "k", "data_key": "ZA==", "nonce": "bg==", "ciphertext": "Yw=="}}
    known: Any = workshop.store.stores
    for org, name in ((ORG, "origin"), (ORG, "nightly"), (ORG, "forbidden"), (ELSEWHERE, "theirs")):
        known.stores.append((org, an_app(name, fields={"root": {"value": f"/{name}"}, "passphrase": sealed})))
    integrations: Any = Rooted(tmp_path)
    integrations.seen = []
    settings = workshop.context.settings.model_copy(update={"hooks_dir": Path("/hooks")})
    context = replace(workshop.context, integrations=integrations, settings=settings)

    found = await guarded_places(
        context, ORG, store=an_app("origin"), location=StoreLocation(address="/origin", local_path=Path("/origin"))
    )

    assert found[0].why == "it belongs to the store that is restored from"
    assert {(str(each.path), each.why) for each in found[1:]} == {
        ("/hooks", "it belongs to the hooks that this worker runs"),
        ("/nightly", "it belongs to the store 'nightly'"),
        ("/theirs", "it belongs to another organization's store"),
    }
    assert all("passphrase" not in each.fields for each in integrations.seen)
