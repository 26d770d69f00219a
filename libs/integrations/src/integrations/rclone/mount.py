"""Shows a source as a directory without copying it: a read-only FUSE mount, for as long as it is needed."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from integrations.rclone.log import RcloneLog
from integrations.rclone.remote import Rclone, Remote
from integrations.sdk.errors import Cancelled, SourceUnreachable
from integrations.sdk.programs import Program
from integrations.sdk.redaction import Redactor

MOUNT_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.05
_ARGUMENTS = (
    *("--read-only", "--use-server-modtime", "--vfs-cache-mode", "off", "--attr-timeout", "10s"),
    "--no-unicode-normalization",  # Names that look alike are different objects.
)


def why_not_mount() -> str:
    """What this machine lacks for mounting; empty when it lacks nothing."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    return "" if shutil.which("fusermount3") else "fusermount3 is not installed"


@asynccontextmanager
async def mount_source(
    rclone: Rclone, remote: Remote, directory: Path, *, excludes: Sequence[str] = ()
) -> AsyncIterator[None]:
    """Show the source in an empty directory until the context is left, without what rclone's patterns exclude.

    Raises `SourceUnreachable` when that does not come about.
    """
    await unmount(directory)
    await asyncio.to_thread(directory.mkdir, mode=0o700, exist_ok=True)
    left_out = directory.with_name("excludes")
    await asyncio.to_thread(left_out.write_text, "".join(f"{pattern}\n" for pattern in excludes), "utf-8")
    arguments = (*_ARGUMENTS, "--exclude-from", str(left_out))
    log = RcloneLog(Redactor(remote.secrets))
    command = rclone.command("mount", remote.argument, str(directory), *arguments, remote=remote)
    async with rclone.open_program(command) as child:
        pump = asyncio.create_task(child.pump(on_output=log.take, on_error=log.take))
        try:
            await _wait_until_mounted(child, directory, log=log, cancel=rclone.cancel)
            rclone.on_log("info", f"reading {remote.origin} through a mount")
            yield
        finally:
            await child.stop()
            pump.cancel()
            await asyncio.wait((pump,))
            await unmount(directory)


async def _wait_until_mounted(child: Program, directory: Path, *, log: RcloneLog, cancel: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(MOUNT_SECONDS):
            while not await asyncio.to_thread(is_mounted, directory):
                if cancel.is_set():
                    raise Cancelled
                if child.exit_code is not None:
                    raise SourceUnreachable(f"The source could not be mounted: {log.words}")
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise SourceUnreachable("The source could not be mounted in time.") from None


async def unmount(directory: Path) -> None:
    """Take a mount away, also one whose server was killed; nothing happens where there is none."""
    if not await asyncio.to_thread(is_mounted, directory):
        return
    # Both unmount lazily, as a mount that is still in use refuses to go otherwise. `fusermount3` needs no root.
    for command in (("fusermount3", "-u", "-z", str(directory)), ("umount", "-l", str(directory))):
        with suppress(FileNotFoundError):
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            if await process.wait() == 0:
                return


def is_mounted(directory: Path) -> bool:
    """Also true of a mount whose server is gone."""
    try:
        return directory.is_mount()
    except OSError:
        return True
