"""Sets the stage of the demo: a running platform is given, the S3 server is put beside it."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cairn_local.api_client import Api
from cairn_local.demo.s3_server import prepare
from cairn_local.demo.walkthrough import DemoPlace, Walkthrough
from cairn_local.environment import base_environment
from cairn_local.health import parse_address
from cairn_local.paths import StateDir
from cairn_local.ports import LOOPBACK, remember_ports
from cairn_local.process_plan import Check, ProcessSpec
from cairn_local.supervisor_control import supervise, wait_until_healthy

S3_NAME = "demo-s3"


def s3_process(state: StateDir, running: Sequence[ProcessSpec], *, rclone: Path, directory: Path) -> ProcessSpec:
    """The S3 server of `directory` as a guest of the platform: the one that runs already, else a new one."""
    for spec in running:
        if spec.name == S3_NAME and spec.guest_of == str(directory):
            return spec
    address = f"{LOOPBACK}:{remember_ports(state.ports, [S3_NAME])[S3_NAME]}"
    argv = (sys.executable, "-P", "-m", "cairn_local.demo.s3_server", str(rclone), str(directory), address)
    check = Check("tcp", address)
    return ProcessSpec(S3_NAME, argv, base_environment(state), check, address, guest_of=str(directory))


def perform(
    state: StateDir, running: Sequence[ProcessSpec], *, rclone: Path, project: Path, say: Callable[[str], None]
) -> str:
    """Do the main job on a platform that is up, with `running` as its processes; returns the gateway's address."""
    directory = project / ".cairn-demo"
    directory.mkdir(mode=0o700, exist_ok=True)
    keys = prepare(directory)
    server = s3_process(state, running, rclone=rclone, directory=directory)
    specs = [*(s for s in running if s.name != S3_NAME), server]
    supervise(state, specs)
    # The supervisor starts it later; without waiting, the walkthrough would meet a port where nothing listens yet.
    wait_until_healthy(state, [server])
    credentials = json.loads(state.credentials.read_text())
    with Api(credentials["url"], credentials["api_key"]) as api:
        Walkthrough(api, DemoPlace(project, directory, *parse_address(server.address), keys), say=say).perform()
        return api.url
