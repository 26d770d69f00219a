"""What could not be read is in the job's log, whatever its name and however much there is."""

from connector.engine.problems import Problems
from connector.jobs.job_reporting import LINE_CHARACTERS
from integrations.sdk.locations import UnreadablePath

LONG, MANY = 1015, 1200


def test_no_line_that_names_many_is_longer_than_a_log_takes() -> None:
    said: list[str] = []
    problems = Problems(lambda _level, text: said.append(text))
    paths = [f"/{number}-{'x' * (LONG if number % 2 else 3)}-end" for number in range(MANY)]
    for path in paths:
        problems.add(UnreadablePath(path, "permission denied"))
    problems.flush()
    assert max(map(len, said)) <= LINE_CHARACTERS
    named = "\n".join(said)
    assert [path for path in paths if path not in named] == []
    assert len(said) < MANY
