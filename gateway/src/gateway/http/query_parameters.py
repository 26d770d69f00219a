"""Parameters of the query that are given twice: refused, where the framework would take the last one."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from contracts.errors import Invalid
from fastapi import Request
from fastapi.params import Depends, Query
from pydantic import BaseModel

_LISTS = (list, tuple, set, frozenset)


def check_query(request: Request) -> None:
    """Raise `Invalid` for a parameter that is given more than once and has one value. Unknown ones may be anything."""
    if b"&" not in request.scope["query_string"]:
        return
    given = Counter(name for name, _ in request.query_params.multi_items())
    single = single_parameters(request.scope["endpoint"])
    if fields := {name: "is given more than once" for name, times in given.items() if times > 1 and name in single}:
        words = "; ".join(f"{name} {fault}" for name, fault in fields.items())
        raise Invalid("request_invalid", f"The request cannot be understood: {words}.", fields=fields)


@cache
def single_parameters(endpoint: Callable[..., Any]) -> frozenset[str]:
    """The parameters of the query that a route and what it depends on take one value of."""
    return frozenset(_single_in(endpoint))


def _single_in(called: Callable[..., Any]) -> Iterator[str]:
    for name, parameter in inspect.signature(called).parameters.items():
        kind, *about = get_args(parameter.annotation) if get_origin(parameter.annotation) is Annotated else (None,)
        for each in about:
            if isinstance(each, Depends) and each.dependency:
                yield from _single_in(each.dependency)
            elif isinstance(each, Query):
                yield from _single_of(kind, each.alias or name)


def _single_of(kind: Any, name: str) -> Iterator[str]:
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        for field, about in kind.model_fields.items():
            yield from _single_of(about.annotation, about.alias or field)
    elif not any(get_origin(each) in _LISTS for each in _choices(kind)):
        yield name


def _choices(kind: Any) -> Iterator[Any]:
    """The parts of a union; what is no union alone."""
    if get_origin(kind) is Annotated:
        yield from _choices(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for each in get_args(kind):
            yield from () if each is NoneType else _choices(each)
    else:
        yield kind
