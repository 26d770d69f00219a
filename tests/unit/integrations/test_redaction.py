from urllib.parse import quote, quote_plus

import pytest
from integrations.sdk.redaction import Redactor

SECRET = 'cänary/w0rd+"x" \\y'


@pytest.mark.parametrize(
    "form", [SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), repr(SECRET), f'"{SECRET}"']
)
def test_a_secret_is_taken_out_however_it_is_written(form: str) -> None:
    assert "w0rd" not in Redactor([SECRET])(f"before {form} after")


def test_the_rest_of_a_text_stays() -> None:
    assert Redactor(["canary", "canary word"])("a canary word, a canary, a word") == "a ***, a ***, a word"


def test_short_secrets_garble_nothing() -> None:
    assert Redactor(["a", "", "abc"])("a cab for abc") == "a cab for abc"
    assert Redactor([])("text") == "text"
