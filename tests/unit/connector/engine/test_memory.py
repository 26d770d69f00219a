from pathlib import Path

import pytest
from connector.engine.memory import MemoryEngine
from integrations.sdk.locations import StoreLocation

from tests.contracts.engine_suite import DiskEngineSuite, Restore


class TestMemoryEngine(DiskEngineSuite):
    @pytest.fixture
    def engine(self) -> MemoryEngine:
        return MemoryEngine()

    @pytest.fixture
    def store(self, tmp_path: Path) -> StoreLocation:
        place = tmp_path / "store"
        return StoreLocation(address=str(place), passphrase="correct horse", local_path=place)

    @pytest.fixture
    def restore(self, engine: MemoryEngine) -> Restore:
        def write(store: StoreLocation, snapshot_id: str, target: Path) -> None:
            _, files = engine.repositories[store.address].snapshots[snapshot_id]
            for path, content in sorted(files.items()):
                place = target / path.removeprefix("/")
                (place if content is None else place.parent).mkdir(parents=True, exist_ok=True)
                if content is not None:
                    place.write_bytes(content)

        return write
