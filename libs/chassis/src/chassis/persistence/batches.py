"""Does in one call what several ask for at the same time.

A call to the database costs much more than what is done in it. Nobody waits for others: what is asked for while calls
are under way goes with the next one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from pymongo import DeleteOne
from pymongo.errors import BulkWriteError

from chassis.persistence.mongo import Collection, Document, DuplicateKeyError, WriteError
from chassis.runtime.supervision import begin

Q = TypeVar("Q")
A = TypeVar("A")
MOST = 64
CALLS_AT_ONCE = 2
DUPLICATE_KEY = 11000


class Batches(Generic[Q, A]):
    """Hands what is asked for to `do`, together with what others ask for; `do` answers in the same order.

    An answer that is an exception is raised to who asked; one that `do` raises, to all whose questions it had.
    """

    def __init__(
        self, name: str, do: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]], *, most: int = MOST
    ) -> None:
        self._name = name
        self._do = do
        self._most = most
        self._asked: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._under_way = 0

    async def ask(self, question: Q) -> A:
        """The answer to one question."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._asked.append((question, answer))
        if self._under_way < CALLS_AT_ONCE:
            self._under_way += 1
            call = begin(self._name, self._call())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        return await answer

    async def _call(self) -> None:
        try:
            while self._asked:
                await self._answer_some()
        finally:
            # In the same step as the look at what is asked: a call that has ended and still counts would leave who asks
            # now to the next one, which may never come.
            self._under_way -= 1

    async def _answer_some(self) -> None:
        batch = [self._asked.popleft() for _ in range(min(len(self._asked), self._most))]
        try:
            answers: Sequence[A | Exception] = await self._do([question for question, _ in batch])
        except Exception as error:  # noqa: BLE001 - raised to who asked
            answers = [error] * len(batch)
        for (_, waiting), answer in zip(batch, answers, strict=True):
            # Who asked may have given up.
            if waiting.done():
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)


def inserts(collection: Collection) -> Batches[Document, None]:
    """Inserts documents, each for itself: what becomes of one says nothing about the others.

    Raises `DuplicateKeyError` to whoever's document is there already.
    """

    async def insert(documents: Sequence[Document]) -> list[Exception | None]:
        if len(documents) == 1:
            await collection.insert_one(documents[0])
            return [None]
        try:
            await collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            return _each(error, len(documents))
        return [None] * len(documents)

    return Batches(f"inserts into {collection.name}", insert)


def _each(error: BulkWriteError, number: int) -> list[Exception | None]:
    """What became of each document of an insert of which some failed."""
    details = error.details or {}
    failed = {each["index"]: each for each in details.get("writeErrors", ())}
    # Something else than single documents: nobody knows what became of them.
    if not failed or details.get("writeConcernErrors"):
        raise error
    return [_error(failed[n]) if n in failed else None for n in range(number)]


def _error(failed: Document) -> WriteError:
    kind = DuplicateKeyError if failed.get("code") == DUPLICATE_KEY else WriteError
    return kind(str(failed.get("errmsg", "")), failed.get("code"), failed)


def deletions(collection: Collection) -> Batches[str, None]:
    """Deletes documents by `_id`; those that are not there are no error."""

    async def delete(ids: Sequence[str]) -> list[None]:
        if len(ids) == 1:
            await collection.delete_one({"_id": ids[0]})
        else:
            # Not by one filter for all of them: FerretDB reads the whole collection for `$in`.
            await collection.bulk_write([DeleteOne({"_id": each}) for each in ids], ordered=False)
        return [None] * len(ids)

    return Batches(f"deletions in {collection.name}", delete)
