import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cairn_local.ports import LOOPBACK, OWN_RANGE, choose_ports, is_free, load_ports, remember_ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    return choose_ports(["any"], {})["any"]


def test_port_of_a_listening_server_is_taken(taken: int) -> None:
    assert not is_free(taken)


def test_remembered_port_is_kept() -> None:
    port = free_port()
    assert choose_ports(["catalog"], {"catalog": port}) == {"catalog": port}


def test_remembered_port_that_is_taken_gives_way(taken: int) -> None:
    assert choose_ports(["catalog"], {"catalog": taken})["catalog"] != taken


def test_usual_port_is_chosen_first() -> None:
    usual = free_port()
    assert choose_ports(["gateway"], {}, usual={"gateway": usual}) == {"gateway": usual}


def test_usual_port_is_taken_again_once_it_is_free(taken: int) -> None:
    fallback = choose_ports(["gateway"], {}, usual={"gateway": taken})
    assert choose_ports(["gateway"], fallback, usual={"gateway": taken}) == fallback
    usual = free_port()
    assert choose_ports(["gateway"], fallback, usual={"gateway": usual}) == {"gateway": usual}


def test_usual_port_that_is_taken_gives_way(taken: int) -> None:
    assert choose_ports(["gateway"], {}, usual={"gateway": taken})["gateway"] in OWN_RANGE


def test_ports_differ_from_each_other_and_from_remembered_ones() -> None:
    port = free_port()
    names = [f"service-{number}" for number in range(50)]
    chosen = choose_ports(names, {"another": port})
    assert len(set(chosen.values()) | {port}) == 51


def test_ports_of_other_names_stay_remembered(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = remember_ports(path, ["kafka"])
    second = remember_ports(path, ["catalog"])
    assert load_ports(path) == first | second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_unreadable_list_remembers_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ports.json"
    path.write_text(content)
    assert load_ports(path) == {}
