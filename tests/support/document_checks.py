"""Hooks of schemathesis: which refusals no document of requests can foresee. Loaded by `schemathesis run`."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks

DEPENDS_ON_WHAT_IS_THERE = {
    "app_invalid": "several of these at once",
    "app_kind_fixed": "what the connector is",
    "app_not_found": "an id in a body",
    "conditions_missing": "one of many parameters is needed",
    "configuration_invalid": "each protocol has a schema of its own",
    "cursor_invalid": "a cursor belongs to the listing that gave it",
    "integration_ambiguous": "several fit the resource",
    "integration_incompatible": "the resource in question",
    "integration_not_found": "an id in a body",
    "integration_not_installed": "the integrations of the organization",
    "inventory_type_fixed": "the type that an inventory has",
    "label_invalid": "names stand in addresses",
    "not_a_directory": "what is at a path",
    "not_a_file": "what is at a path",
    "options_invalid": "each type of task has options of its own",
    "origin_kind_wrong": "what the connector is that a task starts from",
    "path_missing": "needed unless there is a link",
    "provider_not_found": "an id in a body",
    "protocol_not_found": "the integration in question",
    "resource_not_found": "an id in a body",
    "target_kind_wrong": "what the connector is that a task writes to",
    "target_missing": "needed by some types of tasks",
    "user_not_found": "an id in a body",
}
"""Codes of a 400 that a request may get although its form is right, and what they depend on."""


TOLD_IN_WORDS = re.compile(r"fields\.[^.]+|endpoints\.\d+|config\.labels\.\d+|integration_id|q|glob|ext|resource_type")
"""Fields with rules no schema can say: hosts and ports, names that are taken, ids of what is there, lengths in bytes,
numbers of parts, what needs another field beside it, what an integration configures."""


def positive_data_acceptance(ctx: Any, response: Any, case: Any) -> Any:
    """schemathesis' own check, but for refusals that depend on what is there. (A HEAD does not tell its code.)"""
    if response.status_code == 400 and (case.method == "HEAD" or _is_excused(_problem(response))):
        return None
    if response.status_code == 400 and _has_a_wrong_header(case):
        return None
    return checks.positive_data_acceptance(ctx, response, case)


def _has_a_wrong_header(case: Any) -> bool:
    # Of headers it makes letters and digits alone, whatever pattern they have: for If-Match, which has quotes, it sends
    # one that is wrong in a request that it counts as right.
    for name, value in (case.headers or {}).items():
        parameter = case.operation.headers.get(name)
        schema = {} if parameter is None else parameter.validation_schema
        patterns = [choice["pattern"] for choice in schema.get("anyOf", (schema,)) if "pattern" in choice]
        if patterns and not any(re.search(pattern, str(value)) for pattern in patterns):
            return True
    return False


def negative_data_rejection(ctx: Any, response: Any, case: Any) -> Any:
    """schemathesis' own check, but for a query that is as wanted once it is sent: `?ext=false` is a list of a word."""
    if _is_a_right_query(response, case):
        return None
    return checks.negative_data_rejection(ctx, response, case)


def _is_a_right_query(response: Any, case: Any) -> bool:
    negative = [place for place in ParameterLocation if case.meta is not None and case.meta.is_negative_at(place)]
    if negative != [ParameterLocation.QUERY]:
        return False
    sent = parse_qs(urlsplit(response.request.url).query, keep_blank_values=True)
    read = {
        name: _as_read(value, sent.get(name, ()), case.operation.query.get(name)) for name, value in case.query.items()
    }
    return bool(case.operation.get_parameter_set(ParameterLocation.QUERY).get_strict_validator().is_valid(read))


def _as_read(value: Any, texts: Any, parameter: Any) -> Any:
    """What a server reads that knows which parameters are lists and which are text; else the value as it was chosen."""
    schema = {} if parameter is None else parameter.validation_schema
    types = [choice.get("type") for choice in schema.get("anyOf", (schema,))]
    if texts and "array" in types:
        return texts
    return texts[0] if len(texts) == 1 and "string" in types else value


def _is_excused(problem: dict[str, Any]) -> bool:
    fields = [field["field"] for field in problem.get("fields", ())]
    return problem.get("code") in DEPENDS_ON_WHAT_IS_THERE or (
        bool(fields) and all(map(TOLD_IN_WORDS.fullmatch, fields))
    )


def _problem(response: Any) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


CHECKS.register(positive_data_acceptance)
CHECKS.register(negative_data_rejection)
