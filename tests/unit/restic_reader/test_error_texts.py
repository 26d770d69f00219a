"""Error texts show paths as answers do, so that what is shown can be given back as a path."""

import pytest
from contracts.paths import shown
from restic_reader.errors import NotAFile, PathNotFound


@pytest.mark.parametrize("path", [b"/back\\slash", b"/it's", "/größe".encode(), b"/not-\xff-text"])
def test_a_path_in_an_error_is_shown_as_in_answers(path: bytes) -> None:
    assert PathNotFound(path).detail == f"The restore point has nothing at {shown(path)}."
    assert NotAFile(path, type_="dir").detail == f"{shown(path)} is not a file but has the type 'dir'."
