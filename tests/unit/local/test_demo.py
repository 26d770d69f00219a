from dataclasses import replace
from pathlib import Path

import pytest
from cairn_local.demo.stage import S3_NAME, s3_process
from cairn_local.paths import StateDir
from cairn_local.processes import ProcessSpec


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


def server(state: StateDir, running: list[ProcessSpec]) -> ProcessSpec:
    return s3_process(state, running, rclone=Path("/bin/rclone"), directory=Path("/checkout/.cairn-demo"))


def test_second_demo_uses_the_s3_server_of_the_first(state: StateDir) -> None:
    first = server(state, [])
    # The port is its own by now: choosing once more would move the server away from the stores that are on it.
    assert server(state, [first]) is first


def test_s3_server_of_another_checkout_is_not_taken_for_ours(state: StateDir) -> None:
    other = replace(server(state, []), guest_of="/another/.cairn-demo")
    assert server(state, [other]).guest_of == "/checkout/.cairn-demo"


def test_s3_server_is_a_guest_of_its_folder(state: StateDir) -> None:
    spec = server(state, [])
    assert (spec.name, spec.guest_of) == (S3_NAME, "/checkout/.cairn-demo")
