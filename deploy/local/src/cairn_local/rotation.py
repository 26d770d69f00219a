"""Replaces the master key while everything runs. Killed anywhere, it goes on from what the file of keys says."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cairn_local.errors import LocalError
from cairn_local.keys import MASTER
from cairn_local.locks import only_one
from cairn_local.master_keys import new_key, read_keys, write_keys
from cairn_local.paths import StateDir
from cairn_local.process_plan import load_plan
from cairn_local.services import GATEWAY
from cairn_local.supervisor_control import is_running

Say = Callable[[str], None]
Json = dict[str, Any]
AGAIN = "`cairn secrets rotate` goes on from here; nothing is lost meanwhile."


class Gateway:
    """Steps that the gateway's program does in a process of its own, with the environment of the gateway that runs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)

    @classmethod
    def of(cls, state: StateDir) -> "Gateway":
        """The one of a platform. LocalError when that does not run."""
        spec = next((spec for spec in load_plan(state.plan) if spec.name == GATEWAY), None)
        if spec is None or not is_running(state):
            raise LocalError("Cairn is not running.", hint="`cairn up` starts it; keys are replaced while it runs.")
        return cls(spec.env)

    def argv(self, *step: str) -> Sequence[str]:
        """The command line of a step; nothing on it is secret."""
        # -P: no module is taken from the folder that happens to be the current one.
        return [sys.executable, "-P", "-m", "gateway", "secrets", *step]

    def run(self, *step: str, say: Say) -> Json:
        """Do a step and hand on what it says. LocalError with its reason when it fails."""
        last: Json = {}
        with subprocess.Popen(
            self.argv(*step), cwd="/", env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout or ():
                # Between them are lines of the log, as of any process.
                if told := _told(line):
                    last |= told
                    if "doing" in told:
                        say(told["doing"])
        if process.returncode or not last.get("done"):
            reason = last.get("problem", {}).get("detail") or "The gateway's program ended without a word."
            raise LocalError(reason, hint=AGAIN if step[0] != "status" else "")
        return last


@dataclass(frozen=True)
class Rotation:
    """The steps of decision 0062."""

    state: StateDir
    gateway: Gateway
    say: Say
    grace_seconds: float | None = None

    def run(self) -> None:
        """Replace the master key, or go on with a replacement that was interrupted."""
        with only_one(self.state.rotation_lock) as alone:
            if not alone:
                raise LocalError("Another `cairn secrets rotate` is running.")
            self._prepare()
            self._switch()
            self._reseal()
            self._give_up()

    def _prepare(self) -> None:
        path = self.state.key(MASTER)
        keys = read_keys(path)
        if len(keys.keys) == 1:
            key = new_key()
            write_keys(path, keys.with_next(key))
            self.say(f"A new master key is made: {key.id}.")

    def _switch(self) -> None:
        path = self.state.key(MASTER)
        keys = read_keys(path)
        for key in keys.of("next"):
            self.say(f"Processes learn of {key.id} ...")
            self._step("await", key.id, "--until", "known")
            write_keys(path, keys.switched())
            self.say(f"{key.id} seals from now on.")

    def _reseal(self) -> None:
        self._step("await", read_keys(self.state.key(MASTER)).current.id, "--until", "current")
        self.say("Everything is taken under it ...")
        grace = ("--grace", str(self.grace_seconds)) if self.grace_seconds is not None else ()
        self._step("reseal", *grace)

    def _give_up(self) -> None:
        path = self.state.key(MASTER)
        keys = read_keys(path)
        write_keys(path, keys.without_former())
        for key in keys.of("former"):
            self.say(f"Nothing is sealed under {key.id} any more, and it is in no file.")
            try:
                self._step("await", key.id, "--until", "gone")
            except LocalError as error:
                # Nothing is left to be done again: each process looks at the file when it needs a key next.
                self.say(f"  {error.args[0]}")

    def _step(self, *step: str) -> None:
        self.gateway.run(*step, say=lambda words: self.say(f"  {words}"))


def _told(line: str) -> Json:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    told = found.get("secrets") if isinstance(found, dict) else None
    return told if isinstance(told, dict) else {}


def key_lines(status: Json) -> Sequence[str]:
    """What hangs on which key, in words."""
    lines = []
    for key in status["keys"]:
        lines.append(f"  {key['id']}  {key['role']:<8} {key['words']}")
    if any(key["role"] in ("next", "former") for key in status["keys"]):
        lines.append("The master key is not replaced yet. Where nothing is at it, run `cairn secrets rotate` again.")
    return lines
