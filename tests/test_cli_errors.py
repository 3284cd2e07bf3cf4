"""A user's mistake is told in one line, and nothing is written."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from zarrmal.archive.storage.local import put_file
from zarrmal.cli import app
from zarrmal.cli.terminal.errors import reports_errors

PROGRAM = Path(sys.executable).with_name("zarrmal")


@pytest.fixture
def place(tmp_path, cells, model, monkeypatch):
    """A working folder with good and bad sources and models."""
    monkeypatch.chdir(tmp_path)
    pixels = cells.read(np.arange(20))
    np.save("good.npy", pixels)
    np.savez("labelled.npz", cells=pixels, label=["parasitized", "uninfected"] * 10)
    np.savez("strange.npz", cells=pixels, label=["red", "white"] * 10)
    np.save("wide.npy", np.zeros((4, 24, 25), np.uint8))
    np.save("float.npy", pixels.astype(np.float32))
    np.save("times.npy", pixels.astype("M8[s]"))
    for name, sizes in [("empty", []), ("sizes", [24, 25]), ("broken", [24, 24])]:
        Path(name).mkdir()
        for k, size in enumerate(sizes):
            Image.fromarray(np.zeros((size, size), np.uint8)).save(f"{name}/{k}.png")
    Path("broken/1.png").write_bytes(Path("broken/0.png").read_bytes()[:40])
    Path("thesis").mkdir()
    Path("thesis/a.txt").write_text("years of work")
    model.save("good.zmal")
    data = Path("good.zmal").read_bytes()
    Path("short.zmal").write_bytes(data[:5000])
    Path("flipped.zmal").write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    Path("other.zmal").write_bytes(b"no model")
    return tmp_path


def stored(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def mistake(place, *words, code=None):
    """The one line on stderr; nothing on stdout, nothing written."""
    before = stored(place)
    done = CliRunner().invoke(app, [str(word) for word in words])
    damaged = {"short.zmal", "flipped.zmal", "other.zmal"} & {str(word) for word in words}
    assert done.exit_code == (code or (1 if damaged else 2)), done.exception
    assert isinstance(done.exception, SystemExit)  # no traceback
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert done.stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in done.stderr
    assert stored(place) == before
    return errors[0]


GOOD = ("--model", "good.zmal")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing", "a", *GOOD), "no such file or folder"),
        (("empty", "a", *GOOD), "holds no PNG"),
        (("thesis/a.txt", "a", *GOOD), "is no source"),
        (("float.npy", "a", *GOOD), "float32"),
        (("sizes", "a", *GOOD), "the cells are 24 to 25 x 24 to 25, the model is for 24 x 24: use"),
        (("broken", "a", *GOOD), "--skip-unreadable"),
        (("wide.npy", "a", *GOOD), "the cells are 24 x 25, the model is for 24 x 24"),
        (("good.npy", "a", "--model", "nothing.zmal"), "no model file"),
        (("good.npy", "a", "--model", "thesis"), "no model file"),
        (("good.npy", "a", "--model", "short.zmal"), "the model ends"),
        (("good.npy", "a", "--model", "flipped.zmal"), "error:"),
        (("good.npy", "a", "--model", "other.zmal"), "error:"),
        (("good.npy", "thesis", *GOOD), "exists already"),
        (("good.npy", "thesis", *GOOD, "--overwrite"), "will not delete it"),
        (("good.npy", "thesis/a.txt", *GOOD, "--overwrite"), "will not delete it"),
        (("good.npy", "thesis/a.txt/b", *GOOD), "error:"),
        (("good.npy", "a", *GOOD, "--assign", "labels"), "have no labels"),
        pytest.param(
            ("good.npy", "a", *GOOD, "--assign", "classifier", "--cross-fit"),
            "have no labels",
            marks=pytest.mark.training,
        ),
        (("good.npy", "a", *GOOD, "--cross-fit"), "for --assign classifier"),
        (("good.npy", "a", "--assign", "classifier", "--classifier", "no"), "no classifier file"),
        (("good.npy", "a", "--assign", "classifier", "--classifier", "thesis/a.txt"), "no file of"),
        (("strange.npz", "a", *GOOD, "--assign", "labels"), "labelled 'red', 'white'"),
        (("good.npy", "a", *GOOD, "--channel", "red"), "no red to pick"),
        (("good.npy", "a", *GOOD, "--group-pattern", "("), "regular expression"),
        pytest.param(
            ("labelled.npz", "a", "--profile", "paper", "--hidden", "8;4"),
            "--hidden wants widths",
            marks=pytest.mark.training,
        ),
        pytest.param(
            ("labelled.npz", "a", "--profile", "paper", "--hidden", ""),
            "--hidden wants widths",
            marks=pytest.mark.training,
        ),
        pytest.param(
            ("labelled.npz", "a", "--profile", "paper", "--hidden", "0,4"),
            "at least 1",
            marks=pytest.mark.training,
        ),
        (("good.npy", "nosuch://bucket/a", *GOOD), "Protocol not known"),
        (("good.npy", "/proc/zarrmal-test", *GOOD), "error:"),
    ],
)
def test_archive(place, words, told):
    assert told in mistake(place, "archive", *words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("info", "nothing"), "no Zarr group"),
        (("info", "thesis"), "no Zarr group"),
        (("info", "thesis/a.txt"), "no Zarr group"),
        (("info", "nosuch://x"), "Protocol not known"),
        (("verify", "nothing"), "no Zarr group"),
        (("extract", "nothing", "out"), "no Zarr group"),
        pytest.param(
            ("train", "labelled.npz", "-o", "no/such/m.zmal"),
            "its folder must exist",
            marks=pytest.mark.training,
        ),
        pytest.param(
            ("train", "labelled.npz", "-o", "thesis"),
            "cannot be written",
            marks=pytest.mark.training,
        ),
        pytest.param(
            ("train", "nothing", "-o", "m.zmal"),
            "no such file or folder",
            marks=pytest.mark.training,
        ),
        pytest.param(
            ("benchmark", "labelled.npz"), "no slides are known", marks=pytest.mark.training
        ),
        (
            ("benchmark", "labelled.npz", "--save-models", "no/such/m.zmal"),
            "parent folder must exist",
        ),
    ],
)
def test_other_commands(place, words, told):
    assert told in mistake(place, *words)


def test_what_is_there_is_no_archive(place, archive):
    for path in ("cells", "label"):
        assert "error:" in mistake(place, "info", archive / path)
    for name in ("zarr.json", ".zgroup"):
        if (archive / name).exists():
            (archive / name).write_text("{")
    for command in (["info"], ["verify"], ["extract"]):
        words = [*command, archive, "out"] if command == ["extract"] else [*command, archive]
        assert "is damaged" in mistake(place, *words, code=1)


@pytest.mark.parametrize(
    "words",
    [
        ("good.npy", "a", *GOOD, "--storage-option", "SECRET"),
        ("good.npy", "a", *GOOD, "--storage-option", "key=SECRET"),
        ("good.npy", "memory://a", *GOOD, "--storage-option", "=SECRET"),
        ("good.npy", "nosuch://me:SECRET@host/a", *GOOD),
        ("nosuch://me:SECRET@host/a", "a", *GOOD),
    ],
)
def test_secrets_are_not_printed(place, words):
    before = stored(place)
    done = CliRunner().invoke(app, ["archive", *words])
    assert done.exit_code == 2
    assert done.stderr.count("error:") == 1
    assert "SECRET" not in done.output
    assert stored(place) == before


@pytest.mark.parametrize("option", ["--storage-option", "--source-option"])
@pytest.mark.parametrize(
    ("value", "word"), [("foo", "looks like key=value"), ("foo={", "foo begins like JSON")]
)
def test_the_option_that_is_wrong_is_named(place, option, value, word):
    told = mistake(place, "archive", "good.npy", "a", *GOOD, option, value)
    assert option in told
    assert word in told


@pytest.mark.parametrize(
    "words",
    [
        ("--chunk-cells", "0"), ("--zarr-format", "4"), ("--epochs", "0"), ("--seed", "-1"),
        ("--assign", "luck"), ("--size", "0"), ("--channel", "infrared"),
    ],
)  # fmt: skip
def test_options_out_of_range(place, words):
    before = stored(place)
    done = CliRunner().invoke(app, ["archive", "good.npy", "a", *GOOD, *words])
    assert done.exit_code == 2
    assert words[0] in done.stderr
    assert stored(place) == before


def test_the_program(place):
    """No traceback in a true process either."""
    command = [PROGRAM, "archive", "times.npy", "a", *GOOD, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "error: file times.npy: holds datetime64[s], cells are numbers (uint8, uint16, float32, "
        "…): convert it first\n"
    )


def test_errors_of_an_object_store_are_told_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class EndpointConnectionError(Exception):
        __module__ = "botocore.exceptions"

    @reports_errors
    def command() -> None:
        raise EndpointConnectionError('Could not connect to "http://key:word@host:9"')

    with pytest.raises(typer.Exit) as stopped:
        command()
    assert stopped.value.exit_code == 3
    line = capsys.readouterr().err
    assert line.startswith("error: the object store cannot be used")
    assert "key:word" not in line

    @reports_errors
    def mistaken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mistaken()


HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("code", "name", "told"),
    [
        (errno.EACCES, f"ro/s.png.{HEX}.partial", r"ro/s\.png: Permission denied: change its per"),
        (errno.EACCES, f"out/.zarrmal-{HEX}.partial", "out: Permission denied: change its perm"),
        (errno.EROFS, "m.zmal.partial", r"m\.zmal: Read-only file system: choose another place"),
        (errno.ENOSPC, "a.zarr/c/0", "a.zarr/c/0: No space left on device: make room.*--resume"),
        (errno.EIO, "a.zarr/c/0", "a.zarr/c/0: Input/output error$"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_what_to_do(code, name, told, capsys):
    @reports_errors
    def command() -> None:
        raise OSError(code, os.strerror(code), name)

    with pytest.raises(typer.Exit) as stopped:
        command()
    assert stopped.value.exit_code == 2
    assert re.match(f"error: {told}", " ".join(capsys.readouterr().err.split()))


def test_a_full_disk_is_told_with_the_file(tmp_path, monkeypatch):
    """The system names no file where a write fails."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        put_file(tmp_path / "c", b"0")
    assert caught.value.filename == str(tmp_path / "c")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "train-lattice", "train-classifier"])
def test_a_model_that_cannot_be_saved_is_told_before_the_training(place, command, monkeypatch):
    pytest.importorskip("torch", reason="training needs torch, which is not installed")
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = mistake(place, command, "labelled.npz", "-o", "new.zmal")
    assert "new.zmal cannot be written: change the permissions" in found


def test_an_image_that_may_not_be_read_is_not_called_damaged(place, monkeypatch):
    def forbidden(path: str) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr("zarrmal.sources.images.image_file.read_regular_file", forbidden)
    found = mistake(place, "archive", "sizes", "a", *GOOD)
    assert "2 of 2 images cannot be read" in found
    assert "its permissions forbid it" in found
    assert "damaged" not in found


@pytest.mark.parametrize("command", ["archive", "verify", "demo"])
def test_a_kernel_that_is_not_there_is_told_before_anything_else(place, command, monkeypatch):
    monkeypatch.setenv("ZARRMAL_KERNEL", "abacus")
    words = {"archive": ["good.npy", "out.zarr"], "verify": ["out.zarr"], "demo": []}[command]
    found = mistake(place, command, *words)
    assert "abacus" in found
    assert "unset it" in found
