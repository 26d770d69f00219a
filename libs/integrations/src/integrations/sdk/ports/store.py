"""The port of places that keep repositories."""

from typing import Protocol, runtime_checkable

from restic_reader import RepositoryFiles

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.locations import StoreLocation


@runtime_checkable
class Store(Protocol):
    """Says where a repository is, to the engine and to the reader."""

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        """Where the engine finds a store's repository. Raises `RootForbidden`, `ConfigurationUnusable`."""
        ...

    def repository_files(self, configuration: AppConfiguration) -> RepositoryFiles:
        """A store's repository for reading in process. Raises like `store_location`; reaches nothing yet."""
        ...
