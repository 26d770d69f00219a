"""The port of sources that are trees of files, or can be shown as such."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree


@runtime_checkable
class FileSource(Protocol):
    """Shows the files of a source to the engine."""

    def open_source(
        self, configuration: AppConfiguration, *, on_log: OnLog, cancel: asyncio.Event
    ) -> AbstractAsyncContextManager[SourceTree]:
        """The files of a source, as a directory that is there until the context is left.

        Raises `SourceUnreachable`, `SourceRefused`, `SourceMissing`, `RootForbidden` or `Cancelled`.
        """
        ...
