"""A process of several tells what one alone would tell, whatever the texts of its tests are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.side_by_side import longest_first, sendable

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).parents[3]
ODD = """
import logging

def test_quiet():
    logging.getLogger("odd").warning("quiet \\udcff")

def test_wrong():
    logging.getLogger("odd").warning("logged \\ud800")
    raise AssertionError("wrong \\udcff")
"""
SKIPPED = "import pytest\ndef test_skipped(): pytest.skip('no such thing here')\n"
STUCK = "import threading\ndef test_stuck(): threading.Event().wait(60)\ndef test_next(): pass\n"


def test_a_process_of_several_tells_everything(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that are no UTF-8, a test that is skipped where it must not be, and one that takes too long."""
    pytester.makepyfile(test_odd=ODD, test_skipped=SKIPPED, test_stuck=STUCK)
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("CI", "true"), ("PYTHONPATH", str(PROJECT)), ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")):
        monkeypatch.setenv(name, value)
    plugins = ("xdist", "pytest_timeout", "tests.support.side_by_side", "tests.support.skips")
    options = [part for plugin in plugins for part in ("-p", plugin)]
    done = pytester.runpytest_subprocess(*options, "-n", "1", "--dist", "loadfile", "--timeout", "2")
    done.assert_outcomes(passed=2, failed=3)
    done.stdout.fnmatch_lines_random(
        [r"E *: wrong \udcff", r"WARNING * logged \ud800", "*A skipped test fails*", "*Timeout (*"]
    )


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ({"a": ["\udcff", ("\ud800", 1)]}, {"a": ["\\udcff", ("\\ud800", 1)]}),
        ([None, True, 2.5, "ü ☃ \x00"], [None, True, 2.5, "ü ☃ \x00"]),
    ],
)
def test_only_what_is_no_utf8_changes(value: object, sent: object) -> None:
    assert sendable(value) == sent


def test_journeys_are_handed_out_first_and_the_tests_of_a_file_stay_as_they_are() -> None:
    names = ["tests/unit/a.py::b", "tests/unit/a.py::a", "tests/integration/x/y.py::z", "tests/e2e/j.py::k"]
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in names]
    longest_first(items)
    assert [item.nodeid for item in items] == [names[3], names[2], names[0], names[1]]
