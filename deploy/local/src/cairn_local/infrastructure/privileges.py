"""Running PostgreSQL when we are root, which it refuses to be."""

import os
import pwd
import shutil
from pathlib import Path

from cairn_local.errors import LocalError

UNPRIVILEGED_USER = "nobody"


def drop_root() -> list[str]:
    """What to put in front of a command so that it does not run as root; nothing when we are not root.

    The user `nobody` could neither enter a private state folder nor read programs below a private home, and copying
    both elsewhere would spread state and secrets. So the process keeps one capability, to pass folder permissions.
    Without the secure bit, access(2) would ignore that capability, and PostgreSQL asks it about its own program.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalError(
            "PostgreSQL does not run as root, and `setpriv` (util-linux) is not there to run it as another user.",
            hint="Run cairn as an ordinary user, or set CAIRN_MONGODB_URI to a MongoDB that runs already.",
        )
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    capability = "-all,+dac_override"
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--inh-caps={capability}",
        f"--ambient-caps={capability}",
        "--securebits=+no_setuid_fixup",
        "--no-new-privs",
    ]


def hand_over(folder: Path) -> None:
    """Give `folder` to the user that PostgreSQL runs as."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
