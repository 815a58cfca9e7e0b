"""GET /docs: the OpenAPI document as a page of our own, so that no browser is sent to anybody else's server."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h2{margin-top:2.2rem;border-bottom:1px solid #ddd}code{background:#f3f3f0;padding:.1em .3em;border-radius:3px}"
    "details{margin:.5rem 0}summary{cursor:pointer}b.m{display:inline-block;width:4.5em;font-family:monospace}"
    "table{border-collapse:collapse;margin:.4rem 0 1rem}td,th{border:1px solid #ddd;padding:.2rem .6rem;text-align:left;vertical-align:top}"
)


def docs_router() -> APIRouter:
    """Return the route; the page shows no data of the shop."""
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        page = render(request.app.openapi())
        return HTMLResponse(
            page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

    return router


def render(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as HTML: each operation with its parameters, its body and its answers."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation, document))
    parts = "".join(
        f"<h2>{escape(tag[:1].upper() + tag[1:])}</h2>{''.join(all_)}" for tag, all_ in by_tag.items()
    )
    info = document["info"]
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(info['title'])}</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>"
        "<p>For programs: <a href='openapi.json'><code>openapi.json</code></a>. MCP clients connect to <code>/mcp</code>.</p>"
        f"{parts}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        (p["name"], p["in"], _kind(p.get("schema", {}), document), p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(media.get("schema", {}), document)
        needed = schema.get("required", [])
        rows += [
            (
                name,
                "body" + (", needed" if name in needed else ""),
                _kind(inner, document),
                inner.get("description", ""),
            )
            for name, inner in schema.get("properties", {}).items()
        ] or [("", f"body, {kind}", "", "")]
    table = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    answers = "".join(
        f"<tr><td>{escape(code)}</td><td>{escape(answer.get('description', ''))}</td></tr>"
        for code, answer in operation.get("responses", {}).items()
    )
    return (
        f"<details><summary><b class='m'>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
        f"</summary>{f'<table>{table}</table>' if table else ''}<table>{answers}</table></details>"
    )


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]


def _kind(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_kind(one, document) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), document)}"
    return str(schema.get("type", "any"))
