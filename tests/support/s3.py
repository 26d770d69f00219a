"""Real S3 servers on the loopback address: rclone's, over a directory, and moto's, which knows users and rights."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integrations.sdk.locations import StoreLocation

from tests.support.waiting import eventually

ACCESS_KEY, SECRET_KEY = "AKIACAIRNTESTS000001", "canary-Secret/Key+0123456789abcdefghijklm"
BUCKET = "cairn-bucket"


@dataclass(frozen=True)
class S3Server:
    """Where it answers and with which keys; it has one bucket."""

    port: int
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    scheme: str = "http"
    directory: Path | None = field(default=None, compare=False)
    """Where rclone keeps its buckets."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def fields(self, root: str = BUCKET, **others: str) -> dict[str, str]:
        """Connector fields that lead here."""
        keys = {"access_key": self.access_key, "secret_access_key": self.secret_key}
        return {"root": root, "use_tls": str(self.scheme == "https").lower(), **keys, **others}

    def location(self, prefix: str, *, passphrase: str, **others: Any) -> StoreLocation:
        """A store here, for the engine."""
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        found = {"address": f"s3:{self.url}/{BUCKET}/{prefix}", "credentials": keys, **others}
        return StoreLocation(passphrase=passphrase, options={"s3.bucket-lookup": "path"}, **found)

    def client(self) -> Any:
        """A boto3 client."""
        return _boto("s3", self)

    def fill(self, objects: Mapping[str, bytes], bucket: str = BUCKET) -> None:
        """Put objects."""
        client = self.client()
        for key, data in objects.items():
            client.put_object(Bucket=bucket, Key=key, Body=data)


def _boto(service: str, server: S3Server) -> Any:
    import boto3  # type: ignore[import-untyped]

    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        verify=False,
    )


@contextmanager
def rclone_s3(
    rclone: Path, directory: Path, *, tls: tuple[Path, Path] | None = None, port: int | None = None
) -> Iterator[S3Server]:
    """`rclone serve s3`; each folder in the directory is a bucket. `tls`: certificate and key."""
    (directory / BUCKET).mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    secure = ["--cert", str(tls[0]), "--key", str(tls[1])] if tls else []
    command = [str(rclone), "serve", "s3", str(directory), "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
    with _running([*command, *secure], port, {"RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET_KEY}"'}):
        yield S3Server(port, scheme="https" if tls else "http", directory=directory)


@contextmanager
def moto_s3(*, strict: bool = False) -> Iterator[S3Server]:
    """moto; `strict`: it checks signatures and rights, and the keys belong to a user that may do anything in S3."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port, {}):
        server = S3Server(port)
        server.client().create_bucket(Bucket=BUCKET)
        yield _with_user(server) if strict else server


def make_user(server: S3Server, name: str, actions: list[str]) -> S3Server:
    """The server as a new user of moto sees it, who may do just that. Call before rights are checked."""
    iam = _boto("iam", server)
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return S3Server(server.port, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])


def check_rights(server: S3Server) -> None:
    """From now on moto checks signatures and rights."""
    address = f"{server.url}/moto-api/reset-auth"
    request = urllib.request.Request(address, data=b"0", headers={"content-type": "text/plain"}, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def _with_user(server: S3Server) -> S3Server:
    owner = make_user(server, "owner", ["s3:*"])
    check_rights(server)
    return owner


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: _answers(port), deadline_seconds=30)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
