"""The contract as a document and as a page. Everything is served from here, and no script stands in the page."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web

from service import openapi
from service.door import Route, nowhere
from service.problems import CODES

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SCRIPT = """window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"""
STYLE = """body { margin: 0; font-family: sans-serif; color: #3b4151; }
#problems { max-width: 70rem; margin: 2rem auto; padding: 0 1.5rem; line-height: 1.5; }
dt { margin-top: 1rem; font-weight: bold; }
:target { background: #fff3c4; }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Escalation Matrix: the API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<section id="problems">
<h2>Problems, and what to do about them</h2>
<p>Every error is <code>application/problem+json</code>, and its <code>type</code> leads here.</p>
<dl>
{problems}
</dl>
</section>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
</body>
</html>
"""
KINDS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
"""What is served of swagger-ui."""


@cache
def _document() -> bytes:
    from service.routes import all_routes  # which lists this file among its own

    return openapi.document(all_routes())


@cache
def _page() -> str:
    problems = "\n".join(
        f'<dt id="problem-{code.replace("_", "-")}"><code>{code}</code></dt><dd>{escape(told)}</dd>'
        for code, told in CODES.items()
    )
    return PAGE.format(problems=problems)


@cache
def _assets() -> Path:
    spec = find_spec("swagger_ui")
    assert spec is not None, "swagger-ui-py is one of this project's dependencies"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "static"


async def document(request: web.Request) -> web.StreamResponse:
    """OpenAPI 3.1."""
    return web.Response(body=_document(), content_type="application/json")


async def page(request: web.Request) -> web.StreamResponse:
    """The document as a page, and what every problem means."""
    return web.Response(text=_page(), content_type="text/html", headers={"Content-Security-Policy": POLICY})


async def asset(request: web.Request) -> web.StreamResponse:
    """Scripts and styles of the page."""
    name = request.match_info["name"]
    if name == "page.js":
        return web.Response(text=SCRIPT, content_type="text/javascript")
    if name == "page.css":
        return web.Response(text=STYLE, content_type="text/css")
    if name not in KINDS:
        raise nowhere("The page has no such part.")
    headers = {"Content-Type": KINDS[name], "Cache-Control": "max-age=86400"}
    return web.FileResponse(_assets() / name, headers=headers)


ROUTES = (
    Route("GET", "/openapi.json", document, "The contract, for machines", {200: dict}, public=True),
    Route("GET", "/docs", page, "The contract, for people", {200: str}, public=True, content=("text/html",)),
    Route("GET", "/docs/{name}", asset, "A part of that page", {200: bytes}, public=True, content=("*/*",)),
)
