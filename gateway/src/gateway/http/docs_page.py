"""The documentation page: the OpenAPI document as plain HTML. It loads nothing, so it works offline."""

import json
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any

Json = dict[str, Any]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
nav a { margin-right: 1rem; white-space: nowrap; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
summary b { min-width: 4rem; font: 600 .85rem ui-monospace, monospace; }
summary span { opacity: .75; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; overflow-x: auto; padding: .7rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top; }
"""


def render(document: Json) -> str:
    """The page for an OpenAPI document."""
    info, schemas = document["info"], document["components"]["schemas"]
    operations = sorted(_operations(document), key=lambda o: _position(document, o[2]))
    areas = [(tag, list(found)) for tag, found in groupby(operations, key=lambda o: o[2]["tags"][0])]
    titles = {t["name"]: t["description"] for t in document["tags"]}
    links = "".join(f'<a href="#{escape(tag)}">{escape(titles[tag])}</a>' for tag, _ in areas)
    problems = "".join(_problem(r) for r in document["components"]["responses"].values())
    sections = "".join(_area(tag, titles[tag], found, schemas) for tag, found in areas)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(info['title'])}</h1>{_paragraphs(info['description'])}"
        f'<p><a href="openapi.json">OpenAPI document</a></p><nav>{links}</nav>{sections}'
        f'<h2 id="problems">Problems</h2><table><tr><th>Status<th>Meaning<th>Example of a code{problems}</table></html>'
    )


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _position(document: Json, operation: Json) -> int:
    return [t["name"] for t in document["tags"]].index(operation["tags"][0])


def _area(tag: str, title: str, operations: list[tuple[str, str, Json]], schemas: Json) -> str:
    shown = "".join(_operation(*o, schemas=schemas) for o in operations)
    return f'<h2 id="{escape(tag)}">{escape(title)}</h2>{shown}'


def _operation(method: str, path: str, operation: Json, *, schemas: Json) -> str:
    parts = [
        _paragraphs(operation.get("description", "")),
        _parameters(operation.get("parameters", [])),
        _content("Request", operation.get("requestBody", {}).get("content", {}), schemas),
        "".join(_response(status, r, schemas) for status, r in operation["responses"].items() if "$ref" not in r),
        f"<p>Problems: {', '.join(s for s, r in operation['responses'].items() if '$ref' in r)}</p>",
    ]
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method}</b><code>{escape(path)}</code>'
        f"<span>{escape(operation['summary'])}</span></summary>{''.join(parts)}</details>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(p)}</p>" for p in text.split("\n\n") if p.strip())


def _inline(text: str) -> str:
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def _parameters(parameters: list[Json]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}{', required' if p.get('required') else ''}"
        f"<td>{_inline(p.get('description', ''))}"
        for p in parameters
    )
    return f"<table><tr><th>Parameter<th>In<th>Meaning{rows}</table>" if rows else ""


def _content(title: str, content: Json, schemas: Json) -> str:
    shown = []
    for media in content.values():
        example = media.get("example") or _example(media.get("schema", {}), schemas)
        if example is not None:
            text = example if isinstance(example, str) else json.dumps(example, indent=2)
            shown.append(f"<h4>{escape(title)}</h4><pre>{escape(text)}</pre>")
    return "".join(shown)


def _response(status: str, response: Json, schemas: Json) -> str:
    if not status.startswith("2"):
        return f"<p><b>{status}</b> {_inline(response['description'])}</p>"
    shown = _content(f"Answer {status}", response.get("content", {}), schemas)
    return shown or f"<p><b>{status}</b> {_inline(response['description'])}</p>"


def _problem(response: Json) -> str:
    [media] = response["content"].values()
    shown = media["example"]
    return f"<tr><td>{shown['status']}<td>{_inline(response['description'])}<td><code>{escape(shown['code'])}</code>"


def _example(schema: Json, schemas: Json) -> Any:
    """An example for a schema: its own, or one put together from those of its parts."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            return _example(choice, schemas)
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    if "properties" in schema:
        return {name: _example(part, schemas) for name, part in schema["properties"].items()}
    return {"integer": 1, "number": 1, "boolean": True, "string": "text"}.get(schema.get("type", ""))
