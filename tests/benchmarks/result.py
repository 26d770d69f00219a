"""What a benchmark finds, and how a table of findings looks."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Baseline:
    """What the same machine needs, in the same run, for the least that can be done."""

    name: str
    ms: float


@dataclass(frozen=True)
class Result:
    """One row. `ratio` above 1 means we are ahead of the peer; `hops` are the value in baselines, for latencies."""

    name: str
    value: float
    unit: str
    goal: str
    peer: str = ""
    peer_value: float | None = None
    larger_is_better: bool = False
    p50: float | None = None
    p99: float | None = None
    detail: str = ""
    baseline: Baseline | None = None

    @property
    def ratio(self) -> float | None:
        """Peer over value where smaller is better, value over peer where larger is."""
        if not self.peer_value or not self.value:
            return None
        return self.value / self.peer_value if self.larger_is_better else self.peer_value / self.value

    @property
    def hops(self) -> float | None:
        """The value as a multiple of a baseline; None for what is no latency. Raises where the unit is not known."""
        if self.baseline is None:
            return None
        return self.value * {"ms": 1, "s": 1000}[self.unit] / self.baseline.ms

    def as_json(self) -> dict[str, object]:
        """The row as `build/bench.json` holds it."""
        row = {k: v for k, v in asdict(self).items() if k not in ("larger_is_better", "baseline")}
        numbers = {k: round(v, 4) for k, v in row.items() if isinstance(v, float)}
        derived = {"ratio": self.ratio, "hops": self.hops}
        return {**row, **numbers, **{k: round(v, 3) if v else None for k, v in derived.items()}}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def table(results: Sequence[Result]) -> str:
    """The rows as a Markdown table."""
    lines = ["| name | value | p50 | p99 | peer | ratio | hops | goal |", "|---|---|---|---|---|---|---|---|"]
    for r in results:
        peer = f"{r.peer} {r.peer_value:,.4g} {r.unit}" if r.peer_value else "-"
        spread = [f"{v:,.4g}" if v is not None else "-" for v in (r.p50, r.p99)]
        ratio = f"{r.ratio:,.3g}" if r.ratio else "-"
        hops = f"{r.hops:,.3g} {r.baseline.name}s" if r.hops and r.baseline else "-"
        cells = (f"`{r.name}`", f"{r.value:,.4g} {r.unit}", *spread, peer, ratio, hops, r.goal)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(results: Sequence[Result], path: Path) -> None:
    """Write the rows of one run as JSON in place of what an earlier run left; a reader sees the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps([r.as_json() for r in results], indent=2) + "\n")
    fresh.replace(path)
