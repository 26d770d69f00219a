"""Trees of files that benchmarks back up."""

import os
import random
from pathlib import Path

MIB = 1 << 20


def make_many_files(root: Path, *, entries: int, per_directory: int = 99) -> list[str]:
    """A tree of about so many entries, one file in fifty with 1 KiB in it; returns its directories' paths."""
    chance = random.Random(7)
    directories = []
    for n in range(max(1, entries // (per_directory + 1))):
        directory = root / f"area-{n // 100:03}" / f"folder-{n:05}"
        directory.mkdir(parents=True)
        directories.append("/" + str(directory.relative_to(root)))
        for m in range(per_directory):
            with (directory / f"file-{n:05}-{m:03}.dat").open("wb") as file:
                if m % 50 == 0:
                    file.write(chance.randbytes(1024))
    return directories


def change_files(root: Path, *, share: float, seed: int) -> int:
    """Rewrite a share of the files that `make_many_files` made, chosen anew by each seed; how many."""
    files = sorted(root.rglob("*.dat"))
    chosen = random.Random(seed).sample(files, max(1, round(len(files) * share)))
    for file in chosen:
        file.write_bytes(f"changed in round {seed}: {file.name}".encode())
    return len(chosen)


def make_random_files(root: Path, *, files: int, total_bytes: int) -> None:
    """Files of equal size with random content, 200 in a directory."""
    size = max(1, total_bytes // files)
    for n in range(files):
        directory = root / f"{n // 200:04}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{n:06}.bin").write_bytes(os.urandom(size))


def make_mixed_files(root: Path, *, files: int, total_bytes: int) -> None:
    """Files of equal size, 200 in a directory; every other one cannot be compressed."""
    size = max(1, total_bytes // files)
    for n in range(files):
        directory = root / f"{n // 200:04}"
        directory.mkdir(parents=True, exist_ok=True)
        content = os.urandom(size) if n % 2 else os.urandom(size // 8 + 1).hex().encode() * 4
        (directory / f"{n:06}.bin").write_bytes(content[:size])


def write_random(path: Path, size: int) -> None:
    """A file that cannot be compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))


def write_text(path: Path, size: int) -> None:
    """A file of words, to a quarter of its size when compressed."""
    chance = random.Random(17)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(5000)]
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(b" ".join(chance.choices(words, k=100_000)))
        file.truncate(size)
