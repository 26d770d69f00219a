"""Names of files as restic tells them: its JSON holds text, and a name is bytes."""

import os
import re
from pathlib import Path

from integrations.sdk.text import shown_path

_REPLACED = "\ufffd"
_NO_TEXT = re.compile("[\udc80-\udcff]")


def exact_path(directory: Path, path: str) -> str:
    """A path below a directory, with the names that are there in place of those that JSON could not hold.

    It stays as it is where nothing, or more than one thing, is called like that.
    """
    if _REPLACED not in path:
        return path
    found = ""
    for name in path.removeprefix("/").split("/"):
        found += "/" + (_exact_name(f"{directory}{found}", name) if _REPLACED in name else name)
    return shown_path(found)


def _exact_name(directory: str, name: str) -> str:
    try:
        alike = [each for each in os.listdir(directory) if _NO_TEXT.sub(_REPLACED, each) == name]  # noqa: PTH208
    except OSError:
        return name
    return alike[0] if len(alike) == 1 else name
