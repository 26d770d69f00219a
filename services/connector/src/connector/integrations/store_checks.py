"""What the test of a store finds out about its repository, whatever system the store is on."""

import asyncio

from connector.engine.errors import PassphraseMissing, PassphraseWrong
from connector.integrations.checklist import Checklist
from connector.repository.errors import FileMissing, WrongPassword
from connector.repository.keys import unlock
from connector.repository.storage import FileKind, RepositoryFiles


async def check_repository(checklist: Checklist, files: RepositoryFiles, passphrase: str) -> None:
    """Note whether a repository is there and, if so, whether the passphrase opens it; the files are closed then."""

    async def look() -> str:
        checklist.initialized = await asyncio.to_thread(_is_there, files)
        return "holds a repository" if checklist.initialized else "no repository yet: the store can be initialized"

    try:
        await checklist.step("initialized", look())
        if checklist.initialized:
            await checklist.step("passphrase", asyncio.to_thread(_open, files, passphrase))
    finally:
        files.close()


def _is_there(files: RepositoryFiles) -> bool:
    try:
        files.read(FileKind.CONFIG, "")
    except FileMissing:
        return False
    return True


def _open(files: RepositoryFiles, passphrase: str) -> str:
    if not passphrase:
        raise PassphraseMissing
    try:
        unlock(files, passphrase)
    except WrongPassword:
        raise PassphraseWrong from None
    return "opens the repository"
