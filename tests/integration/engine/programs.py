"""Stand-ins for the restic program: scripts that do something and then become restic."""

import sys
from pathlib import Path


def _write(script: Path, body: str) -> str:
    script.write_text(f"#!{sys.executable} -IS\nimport os, sys\n{body}\n")
    script.chmod(0o755)
    return str(script)


def telling(restic: Path, script: Path, notes: Path) -> str:
    """Notes its arguments and its environment, a file per run."""
    body = (
        f"note = os.path.join({str(notes)!r}, str(os.getpid()))\n"
        "os.makedirs(os.path.dirname(note), exist_ok=True)\n"
        "open(note, 'wb').write(open('/proc/self/cmdline', 'rb').read() + b'\\n' + repr(dict(os.environ)).encode())\n"
        f"os.execv({str(restic)!r}, [{str(restic)!r}, *sys.argv[1:]])"
    )
    return _write(script, body)


def ending(restic: Path, script: Path, *, exit_code: int) -> str:
    """Does what restic does, and ends with another code."""
    body = f"import subprocess\nsubprocess.run([{str(restic)!r}, *sys.argv[1:]])\nsys.exit({exit_code})"
    return _write(script, body)


def dying(script: Path) -> str:
    """Is killed at once."""
    return _write(script, "os.kill(os.getpid(), 9)")


def slow(restic: Path, script: Path, *, kib_per_second: int, also_reads: bool = False, command: str = "") -> str:
    """Writes to the store at a limited rate, and reads from it at the same where asked to; only with this command, if
    one is named.
    """
    limit = ["--limit-upload", str(kib_per_second)]
    limit += ["--limit-download", str(kib_per_second)] if also_reads else []
    limited = f"{limit!r} if {command!r} in ['', *sys.argv] else []"
    return _write(script, f"os.execv({str(restic)!r}, [{str(restic)!r}, *({limited}), *sys.argv[1:]])")
