"""Where `CI` is set, a test that is skipped fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
SKIPPED = {
    "called": "import pytest\ndef test_it(): pytest.skip('no such thing here')\n",
    "marked": "import pytest\n@pytest.mark.skip(reason='no such thing here')\ndef test_it(): pass\n",
    "whole file": "import pytest\npytest.importorskip('no_such_module', reason='no such thing here')\n",
}
EXPECTED = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\ndef test_other(): pass\n"


def run(folder: Path, content: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_one.py").write_text(content)
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.skips", "-p", "no:cacheprovider", "test_one.py"]
    environ |= {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=folder, env=kept | environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", SKIPPED)
def test_skipped_test_fails_where_ci_is_set(tmp_path: Path, kind: str) -> None:
    done = run(tmp_path, SKIPPED[kind], CI="true")
    assert done.returncode in (1, 2), done.stdout
    assert "A skipped test fails where CI is set" in done.stdout
    assert "no such thing here" in done.stdout


def test_skipped_test_is_told_elsewhere(tmp_path: Path) -> None:
    done = run(tmp_path, SKIPPED["called"])
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


def test_known_failure_is_no_skip(tmp_path: Path) -> None:
    done = run(tmp_path, EXPECTED, CI="true")
    assert done.returncode == 0, done.stdout
