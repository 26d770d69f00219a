"""The documentation page: Swagger UI over the OpenAPI document, all of it from here, so that it works offline."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response

PATH = "/api/v1/docs"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline, no text run as a program. The icons of Swagger UI are `data:` images."""
# The wheel has the files that Swagger UI releases. Of its own page nothing is used: that has its script inline.
_ASSETS = Path(str(files("fastapi_offline"))) / "static"
_STYLES, _PROGRAM, _START = "swagger-ui.css", "swagger-ui-bundle.js", "start.js"
_METHODS = ["GET", "HEAD"]
_HEADERS = {"Content-Security-Policy": POLICY}
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Cairn HTTP API</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="docs/{_STYLES}">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The <a href="openapi.json">OpenAPI document</a> says the same.</noscript>
<script src="docs/{_PROGRAM}"></script>
<script src="docs/{_START}"></script>
</body>
</html>
"""
# `validatorUrl` is where Swagger UI would send the document to be checked.
_START_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null
});
"""


def install_docs_page(app: FastAPI) -> None:
    """Serve the page at `PATH`. Its addresses are relative: the OpenAPI document is expected beside it."""

    @app.api_route(PATH, methods=_METHODS, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    @app.api_route(f"{PATH}/{_STYLES}", methods=_METHODS, include_in_schema=False)
    async def styles() -> FileResponse:
        return FileResponse(_ASSETS / _STYLES, media_type="text/css")

    @app.api_route(f"{PATH}/{_PROGRAM}", methods=_METHODS, include_in_schema=False)
    async def program() -> FileResponse:
        return FileResponse(_ASSETS / _PROGRAM, media_type="text/javascript")

    @app.api_route(f"{PATH}/{_START}", methods=_METHODS, include_in_schema=False)
    async def start() -> Response:
        return Response(_START_SCRIPT, media_type="text/javascript")
