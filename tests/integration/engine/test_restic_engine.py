"""The conformance suite on restic, over a directory and over an S3 server."""

import shutil
from pathlib import Path

import pytest
from integrations.sdk.locations import StoreLocation

from tests.contracts.engine_suite import DiskEngineSuite, StoreSuite
from tests.integration.engine.conftest import PASSPHRASE, on_disk
from tests.support.s3 import S3Server


class TestResticOnDisk(DiskEngineSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> StoreLocation:
        return on_disk(tmp_path / "store")

    @pytest.fixture
    async def ready(self, store: StoreLocation, initialized: Path) -> StoreLocation:
        shutil.copytree(initialized, store.address)
        return store


class TestResticOnS3(StoreSuite):
    @pytest.fixture
    def store(self, server: S3Server, tmp_path: Path) -> StoreLocation:
        return server.location(f"stores/{tmp_path.name}", passphrase=PASSPHRASE)
