"""A private corner of the shared servers: own databases, own topics, own name."""

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chassis.runtime.settings import CommonSettings
from pymongo import MongoClient

from tests.support.infra import Infra

S = TypeVar("S", bound=CommonSettings)


def write_key_file(path: Path) -> Path:
    """A fresh 32-byte key, base64, readable by its owner only."""
    path.touch(mode=0o600)
    path.write_text(base64.b64encode(os.urandom(32)).decode())
    return path


def platform_environment(**more: str) -> dict[str, str]:
    """The caller's environment for a platform of a test's own.

    Without the servers it may name: several platforms would share one database, and find each other's accounts there.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAIRN_") or name == "CAIRN_CACHE"}
    return kept | more


@dataclass(frozen=True)
class Corner:
    """Names that nobody else uses, and the settings that lead there.

    `variables()` is for subprocesses (the environment of a service), `settings()` for parts run in this process.
    """

    infra: Infra
    key_file: Path
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def facts(self) -> dict[str, str]:
        """The settings, by their names in `CommonSettings`."""
        return {
            "kafka": self.infra.kafka,
            **{f"kafka_{name}": value for name, value in self.infra.kafka_access.items()},
            "mongodb_uri": self.infra.mongodb_uri,
            "database_prefix": f"test_{self.name}_",
            "topic_prefix": f"test-{self.name}.",
            "topic_partitions": "2",
            "instance": f"test-{self.name}",
            "service_key_file": str(self.key_file),
            # Of the hundreds of connectors that tests make, those that are about this say so.
            "test_changes": "false",
        }

    def variables(self, **overrides: object) -> dict[str, str]:
        """The environment of a process of Cairn; overrides by the names of variables, in small letters and
        without `CAIRN_`. Holds `PATH` and `HOME` too."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        facts = {**self.facts, **{name: str(value) for name, value in overrides.items()}}
        return inherited | {f"CAIRN_{name.upper()}": value for name, value in facts.items()}

    def settings(self, settings_class: type[S] = CommonSettings, **overrides: Any) -> S:  # type: ignore[assignment]
        """Settings for parts that run in this process."""
        return settings_class(**{**self.facts, **overrides})

    def drop(self) -> None:
        """Remove the databases that were made here."""
        with MongoClient[dict[str, Any]](self.infra.mongodb_uri, serverSelectionTimeoutMS=2000) as client:
            for database in client.list_database_names():
                if database.startswith(self.facts["database_prefix"]):
                    client.drop_database(database)
