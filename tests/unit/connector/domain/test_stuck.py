"""What is a sign that an engine gets on, and what is none."""

import pytest
from connector.domain.stuck import LEAST_BYTES, Signs, gets_on

BEFORE = Signs(figures=("transferring", 3, 100), lines=2, moved_bytes=1 << 20, cpu_seconds=5.0)


@pytest.mark.parametrize(
    ("changes", "is_sign"),
    [
        ({}, False),
        ({"figures": ("transferring", 4, 100)}, True),
        ({"figures": ("indexing", 3, 100)}, True),
        ({"lines": 3}, True),
        ({"moved_bytes": (1 << 20) + LEAST_BYTES}, True),
        ({"moved_bytes": (1 << 20) + 100}, False),
        ({"moved_bytes": 0}, False),
        ({"cpu_seconds": 60.0}, False),
    ],
)
def test_an_engine_gets_on_by_figures_lines_or_bytes(changes: dict[str, object], is_sign: bool) -> None:
    assert gets_on(BEFORE, BEFORE._replace(**changes)) is is_sign


@pytest.mark.parametrize(("cpu_seconds", "is_sign"), [(5.2, False), (9.0, True)])
def test_where_the_system_tells_no_bytes_an_engine_is_known_by_what_it_computes(
    cpu_seconds: float, is_sign: bool
) -> None:
    before = BEFORE._replace(moved_bytes=None)
    assert gets_on(before, before._replace(cpu_seconds=cpu_seconds)) is is_sign
