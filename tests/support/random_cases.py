"""How many random cases a property is tried with: a few, or in a long run as many as `CAIRN_FUZZ_EXAMPLES` says."""

import os

from hypothesis import HealthCheck, settings


def random_cases(quick: int = 25) -> settings:
    """Settings of hypothesis for a test that is marked `fuzz`; `quick` is the number of cases of a quick run."""
    return settings(
        max_examples=int(os.environ.get("CAIRN_FUZZ_EXAMPLES", quick)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
