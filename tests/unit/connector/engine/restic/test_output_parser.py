"""What restic's messages of a check come to."""

from connector.engine.restic.output_parser import CheckObserver


def heard(*words: str, listed_max: int = 1000) -> tuple[CheckObserver, list[tuple[str, str]]]:
    log: list[tuple[str, str]] = []
    observer = CheckObserver(
        on_progress=lambda _: None, on_log=lambda level, text: log.append((level, text)), listed_max=listed_max
    )
    for each in words:
        observer.listener.on_error({"message_type": "error", "message": each})
    return observer, log


def test_all_findings_are_counted_and_the_first_ones_listed() -> None:
    observer, _ = heard(
        "pack a: does not exist\n", "pack b: does not exist\n", "pack c: does not exist\n", listed_max=2
    )

    assert observer.findings == ["pack a: does not exist", "pack b: does not exist"]
    assert observer.finding_count == 3


def test_a_store_that_is_away_is_no_finding() -> None:
    observer, log = heard("download error: dial tcp 127.0.0.1:9: connect: connection refused\n")

    assert (observer.findings, observer.finding_count) == ([], 0)
    assert "connection refused" in observer.outage
    assert [level for level, _ in log] == ["warning"]
