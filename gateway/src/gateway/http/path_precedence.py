"""Which route an address means where several fit: `/inventories/resources` is no inventory, whatever the method."""

from itertools import zip_longest
from typing import NamedTuple

from chassis.http.error_handlers import method_not_allowed, methods_by_path
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

Segments = tuple[str | None, ...]
"""A path in parts; None is a parameter."""


class Named(NamedTuple):
    """A path that a more general one fits too, with its methods."""

    segments: Segments
    methods: str


class PathPrecedence:
    """ASGI layer inside the application: 405 for other methods than those of the path that names the most.

    The framework would go on to a more general path that has the method.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._named: list[Named] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through, or answer it."""
        if scope["type"] == "http":
            if self._named is None:
                # At the first request: routes are added to the application after its layers.
                self._named = specific_paths(scope["app"])
            path = _segments(scope["path"])
            meant = next((each for each in self._named if _fits(each.segments, path)), None)
            if meant is not None and scope["method"] not in meant.methods.split(", "):
                await method_not_allowed(scope["path"], meant.methods)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def specific_paths(app: FastAPI) -> list[Named]:
    """The paths of an application that a more general one fits too; those that name the most first."""
    methods = methods_by_path(app)
    paths = {_segments(path, template=True): allowed for path, allowed in methods.items()}
    named = [Named(one, allowed) for one, allowed in paths.items() if any(_is_wider(other, one) for other in paths)]
    # False comes before True: a name goes before a parameter at the same place.
    return sorted(named, key=lambda each: tuple(part is None for part in each.segments))


def _segments(path: str, *, template: bool = False) -> Segments:
    return tuple(None if template and part.startswith("{") else part for part in path.strip("/").split("/"))


def _fits(pattern: Segments, path: Segments) -> bool:
    return len(pattern) == len(path) and all(p is None or p == q for p, q in zip(pattern, path, strict=True))


def _is_wider(one: Segments, other: Segments) -> bool:
    """Whether some address fits both paths, and `other` names the first part in which they differ."""
    if len(one) != len(other) or one == other:
        return False
    if any(p != q for p, q in zip(one, other, strict=True) if p is not None and q is not None):
        return False
    return next(p is None for p, q in zip_longest(one, other) if p != q)
