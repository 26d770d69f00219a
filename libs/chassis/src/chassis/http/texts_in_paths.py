"""Which routes take a text that may hold slashes as the last part of their path."""

import re
from collections.abc import Callable
from functools import cache

from fastapi import FastAPI

from chassis.http.error_handlers import methods_by_path

_TAKES_ALL = re.compile(r"{\w+:path}$")


def takes_slashes(app: FastAPI) -> Callable[[bytes], bool]:
    """Whether all escaped slashes of a path, as it was sent, are in a text that a route takes whole (`{name:path}`).

    Anywhere else an escaped slash would lead elsewhere once it is unescaped.
    """

    @cache
    def patterns() -> tuple[re.Pattern[bytes], ...]:
        # At the first request that needs them: by then the application has all its routes.
        paths = [path for path in methods_by_path(app) if _TAKES_ALL.search(path)]
        return tuple(re.compile(_pattern(path).encode(), re.IGNORECASE) for path in paths)

    return lambda raw_path: any(pattern.fullmatch(raw_path) for pattern in patterns())


def _pattern(path: str) -> str:
    *parts, _ = path.split("/")
    # What comes before the text has no escaped slash.
    return "/".join(r"(?:(?!%2f)[^/])+" if part.startswith("{") else re.escape(part) for part in parts) + "/.+"
