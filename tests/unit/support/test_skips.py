"""Where `CI` is set, a test that is skipped fails."""

import pytest

pytest_plugins = ["pytester"]

SKIPPED = {
    "called": "import pytest\ndef test_it(): pytest.skip('no such thing here')\n",
    "marked": "import pytest\n@pytest.mark.skip(reason='no such thing here')\ndef test_it(): pass\n",
    "whole file": "import pytest\npytest.importorskip('no_such_module', reason='no such thing here')\n",
}
EXPECTED = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\ndef test_other(): pass\n"


def run(pytester: pytest.Pytester, content: str, *, ci: str | None = None) -> pytest.RunResult:
    """A run of pytest, in this process, of a file with this content."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CI", raising=False)
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        if ci is not None:
            patch.setenv("CI", ci)
        pytester.makepyfile(test_one=content)
        options = ["-p", "tests.support.skips", "-p", "no:cacheprovider", "-p", "no:asyncio"]
        return pytester.runpytest_inprocess(*options, "test_one.py")


@pytest.mark.parametrize("kind", SKIPPED)
def test_skipped_test_fails_where_ci_is_set(pytester: pytest.Pytester, kind: str) -> None:
    done = run(pytester, SKIPPED[kind], ci="true")
    assert done.ret in (1, 2)
    assert "A skipped test fails where CI is set" in done.stdout.str()
    assert "no such thing here" in done.stdout.str()


def test_skipped_test_is_told_elsewhere(pytester: pytest.Pytester) -> None:
    done = run(pytester, SKIPPED["called"])
    assert done.ret == 0
    done.assert_outcomes(skipped=1)


def test_known_failure_is_no_skip(pytester: pytest.Pytester) -> None:
    done = run(pytester, EXPECTED, ci="true")
    assert done.ret == 0
    done.assert_outcomes(passed=1, xfailed=1)
