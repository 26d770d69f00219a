"""A destination that takes its time to open, as on a mount that does not answer."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, cast

import pytest
from integrations.fs import integration
from integrations.fs.destination_directory import Opening
from integrations.sdk.errors import Cancelled


class Slow:
    """A directory that is open once it answers."""

    def __init__(self) -> None:
        self.is_asked, self.answers, self.is_closed = Event(), Event(), Event()

    @contextmanager
    def directory(self, *_: Any, **__: Any) -> Iterator[Any]:
        self.is_asked.set()
        assert self.answers.wait(10)
        try:
            yield self
        finally:
            self.is_closed.set()


async def test_a_restore_is_canceled_while_its_destination_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, cancel, nothing = Slow(), asyncio.Event(), cast("Any", None)
    monkeypatch.setattr(integration, "open_directory", slow.directory)
    fs = integration.FsIntegration(nothing)
    opening = fs.open_destination(nothing, nothing, on_log=lambda *_: None, cancel=cancel)
    entering = asyncio.create_task(opening.__aenter__())
    assert await asyncio.to_thread(slow.is_asked.wait, 10)

    cancel.set()

    with pytest.raises(Cancelled):
        await entering
    # What is opened for nobody is closed.
    slow.answers.set()
    assert await asyncio.to_thread(slow.is_closed.wait, 10)


def test_a_destination_stays_open_until_it_is_closed() -> None:
    slow = Slow()
    slow.answers.set()
    opening = Opening(slow.directory)

    opened: Any = opening.open()

    assert opened is slow
    assert not slow.is_closed.is_set()
    opening.close()
    assert slow.is_closed.is_set()
