"""A small service in place of ours: `python -m tests.integration.local.fake_service serve`.

Answers GET /health/ready, and GET /environment with its environment. As the gateway it writes the credentials file. A
file `<name>.broken` in the state folder makes it end at once, a file `<name>.silent` keeps it from ever being ready.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cairn_local.services import SERVICES

# No usual port: 8080 is left to a platform that the developer may have up, or may start meanwhile.
FAKE_SERVICES = tuple(
    replace(service, module="tests.integration.local.fake_service", usual_port=None) for service in SERVICES
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path in ("/health/ready", "/environment")
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())


def write_credentials(path: Path) -> None:
    url = os.environ["CAIRN_URL_GATEWAY"]
    path.touch(mode=0o600)
    secrets = {"password": "shown-once", "api_key": "key-shown-once"}
    path.write_text(json.dumps({"url": url, "email": "owner@localhost", "organization_id": "o", **secrets}))


def main() -> None:
    name = os.environ["CAIRN_SERVICE_NAME"]
    print(f"{name} says hello", flush=True)
    state = Path(os.environ["CAIRN_STATE_DIR"])
    if (state / f"{name}.broken").exists():
        sys.exit("this one is broken")
    if (state / f"{name}.silent").exists():
        signal.pause()
    credentials = Path(os.environ["CAIRN_CREDENTIALS_FILE"])
    if name == "gateway" and not credentials.exists():
        write_credentials(credentials)
    address = (os.environ["CAIRN_HTTP_HOST"], int(os.environ["CAIRN_HTTP_PORT"]))
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
