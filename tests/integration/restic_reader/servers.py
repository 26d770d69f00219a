"""Real servers on the loopback address: S3, SFTP, WebDAV."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import asyncssh
import boto3  # type: ignore[import-untyped]
from integrations.rclone.remote import Remote
from obstore.store import S3Store
from restic_reader.sftp_files import SftpServer

USER, PASSWORD = "backup", "canary-password/0123456789"
ACCESS_KEY, SECRET_KEY = "cairn-test-access-key", "cairn-test-secret-key-0123456789"
BUCKET = "backups"


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server answers; it has one bucket."""

    endpoint: str

    def store(self, secret_key: str = SECRET_KEY, *, bucket: str = BUCKET) -> S3Store:
        return S3Store(
            bucket,
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


@dataclass
class Sftp:
    """An SFTP server of asyncssh: what leads there, and what was tried."""

    server: SftpServer
    root: Path
    key: str
    """A private key that it lets in."""
    loop: asyncio.AbstractEventLoop
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)

    def cut_off(self) -> None:
        """Break every connection."""
        for connection in list(self.connections):
            self.loop.call_soon_threadsafe(connection.abort)


class _Door(asyncssh.SSHServer):
    def __init__(self, sftp: Sftp) -> None:
        self._sftp = sftp
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connection = connection
        self._sftp.connections.append(connection)

    def connection_lost(self, error: Exception | None) -> None:
        if self._connection in self._sftp.connections:
            self._sftp.connections.remove(self._connection)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._sftp.passwords.append(password)
        return (username, password) == (USER, PASSWORD)


@contextmanager
def asyncssh_sftp(root: Path) -> Iterator[Sftp]:
    """A directory over SFTP, by a server in a thread of this process."""
    loop, port = asyncio.new_event_loop(), _free_port()
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    made = Sftp(_sftp_server(port, host_key), root, user_key.export_private_key("openssh").decode(), loop)

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            port,
            server_factory=lambda: _Door(made),
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(user_key.export_public_key("openssh").decode()),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(root)),
        )

    async def leave(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        made.cut_off()
        await asyncio.sleep(0.1)  # asyncssh tells of no better moment

    thread = threading.Thread(target=loop.run_forever, name="sftp server", daemon=True)
    thread.start()
    try:
        acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
        yield made
        asyncio.run_coroutine_threadsafe(leave(acceptor), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextmanager
def rclone_sftp(rclone: Path, root: Path, keys: Path) -> Iterator[SftpServer]:
    """A directory over SFTP, by rclone, whose host key lies in `keys`."""
    port, host_key = _free_port(), asyncssh.generate_private_key("ssh-ed25519")
    host_key.write_private_key(str(keys / "host"))
    command: list[str | Path] = [rclone, "serve", "sftp", root, "--addr", f"127.0.0.1:{port}", "--key", keys / "host"]
    secrets = {"RCLONE_USER": USER, "RCLONE_PASS": PASSWORD}
    with _running([*command, "--config", os.devnull, "--dir-cache-time", "0s"], port, environment=secrets):
        yield _sftp_server(port, host_key)


def _sftp_server(port: int, host_key: asyncssh.SSHKey) -> SftpServer:
    known = f"[127.0.0.1]:{port} {host_key.export_public_key('openssh').decode()}"
    return SftpServer(host="127.0.0.1", port=port, user=USER, password=PASSWORD, known_hosts=known)


@contextmanager
def rclone_webdav(rclone: Path, root: Path) -> Iterator[Remote]:
    """A directory over WebDAV, by rclone; what leads there, for another rclone."""
    port = _free_port()
    command: list[str | Path] = [rclone, "serve", "webdav", root, "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
    secrets = {"RCLONE_USER": USER, "RCLONE_PASS": PASSWORD}
    with _running([*command, "--dir-cache-time", "0s"], port, environment=secrets):
        yield webdav_remote(rclone, port)


def webdav_remote(rclone: Path, port: int, *, password: str = PASSWORD) -> Remote:
    """rclone wants passwords in a form of its own."""
    hidden = subprocess.run([rclone, "obscure", "-"], input=password.encode(), capture_output=True, check=True).stdout
    url, secret = f"http://127.0.0.1:{port}", hidden.decode().strip()
    settings = {"type": "webdav", "vendor": "rclone", "url": url, "user": USER, "pass": secret}
    return Remote(settings=settings, path="", origin=url, secrets=(password, secret))


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
