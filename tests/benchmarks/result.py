"""What a benchmark finds, and how a table of findings looks."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One row. `ratio` above 1 means we are ahead of the peer."""

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

    @property
    def ratio(self) -> float | None:
        """Peer over value where smaller is better, value over peer where larger is."""
        if not self.peer_value or not self.value:
            return None
        return self.value / self.peer_value if self.larger_is_better else self.peer_value / self.value

    def as_json(self) -> dict[str, object]:
        """The row as `build/bench.json` holds it."""
        row = {k: v for k, v in asdict(self).items() if k != "larger_is_better"}
        numbers = {k: round(v, 4) for k, v in row.items() if isinstance(v, float)}
        return {**row, **numbers, "ratio": round(self.ratio, 3) if self.ratio else None}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def table(results: Sequence[Result]) -> str:
    """The rows as a Markdown table."""
    lines = ["| name | value | p50 | p99 | peer | ratio | goal |", "|---|---|---|---|---|---|---|"]
    for r in results:
        peer = f"{r.peer} {r.peer_value:,.4g} {r.unit}" if r.peer_value else "-"
        spread = [f"{v:,.4g}" if v is not None else "-" for v in (r.p50, r.p99)]
        ratio = f"{r.ratio:,.3g}" if r.ratio else "-"
        lines.append(
            f"| `{r.name}` | {r.value:,.4g} {r.unit} | {spread[0]} | {spread[1]} | {peer} | {ratio} | {r.goal} |"
        )
    return "\n".join(lines)


def write(results: Sequence[Result], path: Path) -> None:
    """Write the rows of one run as JSON in place of what an earlier run left; a reader sees the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps([r.as_json() for r in results], indent=2) + "\n")
    fresh.replace(path)
