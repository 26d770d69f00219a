"""HTTP door of the connector, for other processes of Cairn: the bytes of files in restore points."""

from connector.api.routes import build_api

__all__ = ["build_api"]
