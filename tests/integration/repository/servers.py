"""Real S3 servers on the loopback address."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import boto3  # type: ignore[import-untyped]
from obstore.store import S3Store

ACCESS_KEY, SECRET_KEY = "cairn-test-access-key", "cairn-test-secret-key-0123456789"
BUCKET = "backups"


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server answers; it has one bucket."""

    endpoint: str

    def store(self, secret_key: str = SECRET_KEY) -> S3Store:
        return S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
            retry_config={"max_retries": 1},
        )

    def restic(self, prefix: str) -> tuple[str, dict[str, str]]:
        """The repository's address for restic, and the environment that opens it."""
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": "us-east-1"}
        return f"s3:{self.endpoint}/{BUCKET}/{prefix}", keys


@contextmanager
def rclone_s3(rclone: Path, root: Path) -> Iterator[S3Server]:
    (root / BUCKET).mkdir(parents=True)
    port = _free_port()
    keys = {"RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET_KEY}"'}
    command: list[str | Path] = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", os.devnull, root]
    with _running(command, port, environment=keys):
        yield S3Server(f"http://127.0.0.1:{port}")


@contextmanager
def moto_s3() -> Iterator[S3Server]:
    port = _free_port()
    command: list[str | Path] = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port, environment={}):
        server = S3Server(f"http://127.0.0.1:{port}")
        _make_bucket(server)
        yield server


def _make_bucket(server: S3Server) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    client.create_bucket(Bucket=BUCKET)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str | Path], port: int, *, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", *, seconds: float = 30) -> None:
    deadline = monotonic() + seconds
    while monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"nothing answers on port {port}")
