"""What is told of a restore that ends early."""

from types import SimpleNamespace
from typing import Any

import pytest
from connector.restore.figures import Figures
from connector.restore.results import write_and_verify
from contracts.errors import CairnError
from contracts.values import SnapshotId
from integrations.sdk.errors import Cancelled, DestinationFull, DestinationRefused, DestinationUnreachable

POINT = SnapshotId("abcdef0123")


class Ending(SimpleNamespace):
    """A restore that writes two files and ends."""

    def __init__(self, error: CairnError) -> None:
        super().__init__(figures=Figures(files=5), problems=SimpleNamespace(count=1))
        self.error = error

    def write(self) -> None:
        self.figures.written, self.figures.created, self.figures.written_bytes = 2, 2, 2048
        raise self.error


def carried(error: CairnError, log: list[str]) -> Any:
    transfer: Any = Ending(error)
    return write_and_verify(transfer, POINT, enter=lambda _: None, on_log=lambda _, text: log.append(text))


@pytest.mark.parametrize("error", [DestinationFull("no space left on device"), DestinationRefused("It is read-only.")])
def test_a_destination_that_takes_nothing_more_leaves_a_result(error: CairnError) -> None:
    result, ended = carried(error, [])

    assert ended is error
    assert (result.files, result.files_written, result.created, result.bytes_written) == (5, 2, 2, 2048)
    assert result.problem_count == 1


@pytest.mark.parametrize("error", [Cancelled(), DestinationUnreachable("It does not answer.")])
def test_what_ends_a_restore_otherwise_is_raised_and_the_log_has_its_figures(error: CairnError) -> None:
    log: list[str] = []

    with pytest.raises(type(error)):
        carried(error, log)

    words = (
        "Ended early: restore point abcdef01: 2 of 5 files written with 2.0 KiB, 0 were there already, 0 others kept"
    )
    assert [line.partition(";")[0] for line in log] == [words]
