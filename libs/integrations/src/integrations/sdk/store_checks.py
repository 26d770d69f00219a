"""What the test of a store finds out about its repository, whatever system the store is on."""

import asyncio

from restic_reader import Access, RepositoryFiles, seal_of
from restic_reader.errors import RepositoryNotFound, WrongPassword

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.connection_test import Checklist
from integrations.sdk.errors import PassphraseMissing, PassphraseWrong, RepositoryChanged, RepositoryGone, StoreHalfMade


async def check_repository(checklist: Checklist, files: RepositoryFiles, configuration: AppConfiguration) -> None:
    """Note whether a repository is there and, if so, whether the passphrase opens it, and whether it is still the one
    that the store had, and whole. The files are closed then.
    """

    async def look() -> str:
        try:
            await asyncio.to_thread(seal_of, files)
        except RepositoryNotFound as error:
            checklist.initialized = False
            return _absent(configuration, has_data=error.has_data)
        checklist.initialized = True
        return "holds a repository"

    try:
        await checklist.step("initialized", look())
        if checklist.initialized:
            # As a task, so that what it opened is at hand for the step after the one that waits for it.
            opening = asyncio.create_task(asyncio.to_thread(_open, files, configuration.text("passphrase")))
            await checklist.step("passphrase", _opened(opening))
            await checklist.step("repository", asyncio.to_thread(_compare, opening.result(), configuration))
    finally:
        files.close()


def _absent(configuration: AppConfiguration, *, has_data: bool) -> str:
    if configuration.repository_id is not None:
        raise RepositoryGone("", configuration.repository_id, has_data=has_data)
    if has_data:
        raise StoreHalfMade(configuration.text("root"))
    return "no repository yet: the store can be initialized"


async def _opened(opening: "asyncio.Task[Access]") -> str:
    await opening
    return "opens the repository"


def _open(files: RepositoryFiles, passphrase: str) -> Access:
    if not passphrase:
        raise PassphraseMissing
    try:
        return Access.open(files, passphrase)
    except WrongPassword:
        raise PassphraseWrong from None


def _compare(access: Access, configuration: AppConfiguration) -> str:
    found, noted = access.config.id, configuration.repository_id
    if noted not in (None, found):
        raise RepositoryChanged("", str(noted), found=found)
    access.require_parts()
    return f"the repository {found[:8]}{', as before' if noted else ''}"
