"""A backup through Cairn beside the same `restic backup` by hand."""

from tests.benchmarks.ground import Ground, make_random_files, timed
from tests.benchmarks.result import Result, median

PAIRS = 5


def backup_overhead(ground: Ground) -> Result:
    """1 GiB in 20,000 files, each time into a new store, the two in turn."""
    source = ground.root / "twenty-thousand"
    make_random_files(source, files=ground.size(20_000), total_bytes=ground.size(1 << 30))
    api = ground.api()
    origin = ground.connector(api, "source", source)
    by_hand, through = [], []
    for n in range(PAIRS + 1):
        repository = ground.root / f"by-hand-{n}"
        ground.by_hand(repository, "init")
        by_hand.append(timed(lambda r=repository: ground.by_hand(r, "backup", ".", "--json", "--quiet", cwd=source)))
        store = ground.connector(api, "store", ground.root / f"through-{n}")
        api.post(f"/connectors/{store}/stores/create")

        def backup(target: str = store) -> None:
            job = api.wait_for_run(api.start_backup(origin, target), deadline_seconds=3600)
            if job["status"] != "succeeded":
                raise RuntimeError(api.job_log(job["id"]))

        through.append(timed(backup))
    ratios = sorted(h / t for h, t in zip(by_hand[1:], through[1:], strict=True))
    return Result(
        "backup_overhead", median(through[1:]), "s", "ratio >= 0.95", peer="restic backup",
        peer_value=median(by_hand[1:]),
        detail=f"{PAIRS} pairs in turn after one uncounted; pair by pair {', '.join(f'{r:.2f}' for r in ratios)}; "
        "until the restore point can be browsed",
    )  # fmt: skip
