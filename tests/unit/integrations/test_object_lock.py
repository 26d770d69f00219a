"""What a bucket says of its Object Lock."""

import pytest
from integrations.s3.object_lock import read_configuration
from integrations.sdk.ports.retaining_store import Retention

_XML = '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ObjectLockConfiguration>'
_ENABLED = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"


def _rule(mode: str, period: str) -> str:
    return f"<Rule><DefaultRetention><Mode>{mode}</Mode>{period}</DefaultRetention></Rule>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (_ENABLED, Retention(rule="S3 Object Lock (without a default period)")),
        (
            _ENABLED + _rule("COMPLIANCE", "<Days>30</Days><Years>0</Years>"),
            Retention(rule="S3 Object Lock (COMPLIANCE, 30 days)", days=30),
        ),
        (
            _ENABLED + _rule("GOVERNANCE", "<Years>2</Years>"),
            Retention(rule="S3 Object Lock (GOVERNANCE, 730 days)", days=730),
        ),
        ("", None),
        ("<ObjectLockEnabled>Disabled</ObjectLockEnabled>", None),
    ],
)
def test_a_configuration_is_read(content: str, expected: Retention | None) -> None:
    assert read_configuration(_XML.format(content).encode()) == expected


@pytest.mark.parametrize("document", [b"", b"no xml", b"<Error><Code>NoSuchBucket</Code></Error>"])
def test_any_other_answer_says_nothing(document: bytes) -> None:
    assert read_configuration(document) is None
