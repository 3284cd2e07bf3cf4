"""Storage options as words of a command line, and what each file system is told beside them."""

from __future__ import annotations

import pytest

from zarrmal import InputError
from zarrmal.archive import Location
from zarrmal.archive.storage.fsspec_options import fsspec_options
from zarrmal.cli.terminal.console import key_values
from zarrmal.cli.terminal.secrets import without_secrets


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("anon=true", {"anon": True}),
        ("timeout=3", {"timeout": 3}),
        ("endpoint_url=http://127.0.0.1:1/a=b", {"endpoint_url": "http://127.0.0.1:1/a=b"}),
        ('client_kwargs={"endpoint_url": "x"}', {"client_kwargs": {"endpoint_url": "x"}}),
        # Secrets are text, whatever they look like.
        ("secret=1234567890", {"secret": "1234567890"}),
        ("key=1e5", {"key": "1e5"}),
        ("account_key=true", {"account_key": "true"}),
        ('token={"type": "service_account"}', {"token": {"type": "service_account"}}),
        ("connection_string=A=a;AccountKey=b==", {"connection_string": "A=a;AccountKey=b=="}),
        ("default_location=NaN", {"default_location": "NaN"}),
    ],
)
def test_words(word, wanted):
    assert key_values([word]) == wanted


@pytest.mark.parametrize("word", ["hush-hush", "=hush-hush", "client_kwargs={a: hush-hush}"])
def test_words_that_are_none(word):
    with pytest.raises(InputError) as found:
        key_values([word])
    assert "hush" not in str(found.value)


def test_secrets_are_blotted_out_wherever_they_stand(monkeypatch):
    key_values(["secret=tell-nobody-1", 'client_kwargs={"aws_session_token": "tell-nobody-2"}'])
    key_values(["connection_string=AccountName=me;AccountKey=tell-nobody-3==;"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tell-nobody-4")
    text = without_secrets("".join(f"<tell-nobody-{n}>" for n in range(1, 6)))
    assert text == "<***><***><tell-nobody-3><***><tell-nobody-5>"  # the third ends in ==
    assert without_secrets("<tell-nobody-3==>") == "<***>"
    assert without_secrets("s3://me:pw@host/a?sig=b c") == "s3://***@host/a?*** c"


def test_endpoints_and_ways_to_log_in_may_be_told():
    key_values(["endpoint_url=http://127.0.0.1:5000", "token=anon", "account_name=labstore"])
    text = "http://127.0.0.1:5000 anon labstore"
    assert without_secrets(text) == text


def test_quirks_give_way_to_the_caller():
    assert fsspec_options("s3://a/b", {"key": "k"}) == {"key": "k", "max_concurrency": 1}
    assert fsspec_options("s3://a/b", {"max_concurrency": 8}) == {"max_concurrency": 8}
    for url in ("az://a/b", "abfs://a/b", "abfss://a/b"):
        assert fsspec_options(url, {}) == {"use_listings_cache": False}
    assert fsspec_options("gs://a/b", {"token": "anon"}) == {"token": "anon"}


def test_quirks_in_a_chain():
    given = {"s3": {"key": "k"}, "simplecache": {"cache_storage": "c"}}
    url = "simplecache::s3://a/b"
    found = fsspec_options(url, given, for_zarr=False)
    assert found == given | {"s3": {"key": "k", "max_concurrency": 1}}
    assert fsspec_options(url, given)["s3"]["asynchronous"] is True
    assert fsspec_options("zip::cells.zip", {}) == {}


def test_a_target_shows_no_password():
    target = Location("https://me:hush@host/a?sig=hush", {"secret": "hush"})
    assert "hush" not in repr(target) + target.printable
    assert target.printable == "https://***@host/a?***"
