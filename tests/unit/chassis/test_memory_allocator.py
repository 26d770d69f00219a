"""Memory that comes and goes in large pieces."""

import subprocess
import sys

ROUNDS = """
import resource
from chassis.runtime.memory_allocator import reuse_memory
{settled}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def stream():
    pieces = [bytearray(2 << 20) for _ in range(6)]
for _ in range(3):
    stream()
before = faults()
for _ in range(20):
    stream()
print(faults() - before)
"""


def faults(settled: str) -> int:
    """How often a process asks for a page while it has six pieces of 2 MiB twenty times."""
    script = ROUNDS.format(settled=settled)
    return int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)


def test_large_pieces_are_the_same_memory_again() -> None:
    assert faults("reuse_memory()") < faults("") / 10
