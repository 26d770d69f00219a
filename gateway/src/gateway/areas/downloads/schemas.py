"""Selections of files to take out."""

from gateway.areas.links.tokens import Format
from gateway.http.body_fields import Body
from gateway.http.examples import example
from gateway.http.path_parameter import Paths


class ArchiveBody(Body):
    """Files and folders to download together."""

    model_config = example(paths=["/documents", "/letter.txt"], format="zip")

    paths: Paths
    format: Format
