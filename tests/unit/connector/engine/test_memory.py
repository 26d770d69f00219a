from pathlib import Path

import pytest
from connector.engine.memory import MemoryEngine
from integrations.sdk.locations import StoreLocation

from tests.contracts.engine_suite import DiskEngineSuite


class TestMemoryEngine(DiskEngineSuite):
    @pytest.fixture
    def engine(self) -> MemoryEngine:
        return MemoryEngine()

    @pytest.fixture
    def store(self, tmp_path: Path) -> StoreLocation:
        place = tmp_path / "store"
        return StoreLocation(address=str(place), passphrase="correct horse", local_path=place)
