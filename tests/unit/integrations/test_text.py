"""Text of a source as it is shown to people."""

from integrations.sdk.text import one_line


def test_paths_are_shown_on_one_line() -> None:
    assert one_line("/a\nb\x1b[31mü") == "/a\\nb\\x1b[31mü"
