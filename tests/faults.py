"""Every way in which input is known to go wrong, as a builder, and what happens then.

``python -m tests.faults`` prints the table of docs/reliability.md;
tests/pipeline/test_bad_input.py runs each.
"""

import io
import json
import os
import pickle
import shutil
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML

# Names that HTML, Markdown, YAML or a table may take for something else. The third is of Training
# alone, and the fourth has a single image there.
CLASSES = ["a & b", "<b>no|tumour é", "no", "1e3"]
HEALTHY = CLASSES[1]


@dataclass(frozen=True)
class Fault:
    """Something wrong, and what is to happen.

    Attributes
    ----------
    what : str
        In plain words.
    happens : str
        ``accepted``, ``refused: ``reason, ``left out``, or ``ends: ``part of the sentence; a note
        may follow after a semicolon.
    make : callable
        Writes it; takes a path, which each list explains.
    name : str
        Of the file, below the folder of a class; of a stage for what is edited between two.
    shows : callable, optional
        Of an accepted picture: from the slice it was made of to the pixels that it has to give.
    """

    what: str
    happens: str
    make: Callable
    name: str = ""
    shows: Callable | None = None

    @property
    def outcome(self) -> str:
        """What happens, without the note."""
        return self.happens.split(";")[0]


def slice_of(seed: int) -> np.ndarray:
    """Give a smooth grey slice of 48 x 64 pixels; no two seeds show the same."""
    blobs = np.random.default_rng(seed).integers(0, 256, (6, 8), np.uint8)
    return np.asarray(Image.fromarray(blobs).resize((64, 48), Image.Resampling.BICUBIC))


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options) -> bytes:
    """Give the bytes of an image file."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, interlace: int = 0) -> bytes:
    """Write a PNG by hand, for what Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def rgb16(pixels: np.ndarray) -> bytes:
    rows = np.stack([pixels.astype(">u2") * 257] * 3, -1)
    return png(*pixels.shape[::-1], 16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def interlaced(pixels: np.ndarray) -> bytes:
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
    passes += [(1, 0, 2, 2), (0, 1, 1, 2)]
    rows = (b"\0" + row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx])
    return png(*pixels.shape[::-1], 8, 0, b"".join(rows), interlace=1)


def ycck(pixels: np.ndarray) -> bytes:
    """Write a CMYK file whose channels are those of YCCK, and then say so in its Adobe marker."""
    half, none = np.full_like(pixels, 127), np.zeros_like(pixels)
    channels = np.stack([pixels, half, half, none], -1)
    image = Image.frombytes("CMYK", pixels.shape[::-1], channels.tobytes())
    content = bytearray(encoded(image, "JPEG", quality=95, subsampling=0))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def half_clear(pixels: np.ndarray) -> np.ndarray:
    alpha = np.where(np.arange(pixels.shape[1]) < 32, 255, 0) * np.ones_like(pixels)
    return alpha.astype(np.uint8)


def with_mode(pixels: np.ndarray, mode: str) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.convert("RGB").convert(mode) if mode in ("CMYK", "RGBA") else image.convert(mode)


def photograph(pixels: np.ndarray) -> np.ndarray:
    return np.stack([pixels, pixels[::-1], 255 - pixels], -1)


def same(pixels: np.ndarray) -> np.ndarray:
    return pixels


NO_IMAGE, CUT = "refused: not a JPEG or PNG image", "refused: truncated or damaged"


def content(what: str, happens: str, name: str, make: Callable, shows=None) -> Fault:
    """Make a fault of a file's content; `make` gives its bytes from a slice of its own."""
    seed = zlib.crc32(what.encode())
    build = lambda path: path.write_bytes(make(slice_of(seed)))  # noqa: E731
    return Fault(what, happens, build, name, (lambda: shows(slice_of(seed))) if shows else None)


# Files in the folder of a class, which DVC can track: `make` takes the path of the file.
CONTENTS = [
    content("JPEG cut in half", CUT, "half.jpg",
            lambda s: (f := encoded(s, "JPEG"))[: len(f) // 2]),
    content("JPEG without its last 2 bytes", CUT, "cut.jpg", lambda s: encoded(s, "JPEG")[:-2]),
    content(
        "progressive JPEG cut in half",
        CUT,
        "half progressive.jpg",
        lambda s: (f := encoded(s, "JPEG", progressive=True))[: len(f) // 2],
    ),
    content("PNG cut in half", CUT, "half.png", lambda s: (f := encoded(s))[: len(f) // 2]),
    content(
        "PNG with a wrong checksum",
        CUT,
        "checksum.png",
        lambda s: (f := encoded(s))[:50] + bytes([f[50] ^ 1]) + f[51:],
    ),
    content(
        "PNG without its last 2 bytes",
        "accepted; its pixels are all there",
        "cut.png",
        lambda s: encoded(s)[:-2],
        same,
    ),
    content(
        "JPEG damaged within, its markers whole",
        "accepted; a JPEG has no checksum, so nobody can tell",
        "hole.jpg",
        lambda s: (f := encoded(s, "JPEG", quality=95))[: len(f) // 2] + b"\xff\xd9",
    ),
    content("JPEG with garbage after its end", "accepted", "tail.jpg",
            lambda s: encoded(s, "JPEG", quality=95) + b"garbage" * 99, same),
    content("empty file", NO_IMAGE, "empty.jpg", lambda s: b""),
    content("500 zero bytes", NO_IMAGE, "zeros.jpg", lambda s: bytes(500)),
    content("text named .jpg", NO_IMAGE, "text.jpg", lambda s: b"not an image"),
    content("HTML named .png", NO_IMAGE, "page.png", lambda s: b"<!DOCTYPE html><html></html>"),
    content("SVG named .png", NO_IMAGE, "drawing.png",
            lambda s: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    content("DICOM named .jpg", NO_IMAGE, "dicom.jpg", lambda s: bytes(128) + b"DICM" + bytes(99)),
    content("NIfTI named .png", NO_IMAGE, "nifti.png",
            lambda s: struct.pack("<i", 348) + bytes(340) + b"n+1\0" + bytes(99)),
    content("GIF", NO_IMAGE, "still.gif", lambda s: encoded(s, "GIF")),
    content("animated GIF named .jpg", NO_IMAGE, "animated.jpg",
            lambda s: encoded(s, "GIF", save_all=True, append_images=[Image.fromarray(255 - s)])),
    content("WebP, TIFF or BMP named .jpg", NO_IMAGE, "tiff.jpg", lambda s: encoded(s, "TIFF")),
    content("animated PNG", "refused: animated", "animated.png",
            lambda s: encoded(s, "PNG", save_all=True, append_images=[Image.fromarray(255 - s)])),
    content("JPEG of several pictures (MPO)", "refused: several pictures in one file", "mpo.jpg",
            lambda s: encoded(s, "MPO", save_all=True, append_images=[Image.fromarray(255 - s)])),
    content("PNG named .jpg", "accepted", "png.jpg", encoded, same),
    content("CMYK JPEG", "accepted", "cmyk.jpg",
            lambda s: encoded(with_mode(s, "CMYK"), "JPEG", quality=95), same),
    content("YCCK JPEG", "accepted", "ycck.jpg", ycck, same),
    content("progressive JPEG", "accepted", "progressive.jpg",
            lambda s: encoded(s, "JPEG", quality=95, progressive=True), same),
    content("interlaced PNG", "accepted", "interlaced.png", interlaced, same),
    content("palette PNG", "accepted", "palette.png", lambda s: encoded(with_mode(s, "P")), same),
    content("1-bit PNG", "accepted; as black and white", "one bit.png",
            lambda s: encoded(Image.fromarray(s > 99)), lambda s: (s > 99) * np.uint8(255)),
    content("16-bit PNG", "accepted; scaled to 8 bits, not clipped", "sixteen.png",
            lambda s: encoded(s.astype(np.uint16) * 257), same),
    content("16-bit RGB PNG", "accepted; scaled to 8 bits, not clipped", "rgb sixteen.png",
            rgb16, same),
    content("16-bit PNG that holds 12-bit values",
            "accepted; scaled from 12 bits to 8", "twelve.png",
            lambda s: encoded(s.astype(np.uint16) * 16), same),
    content("16-bit PNG with a transparent grey", "accepted; transparent parts on black",
            "sixteen clear.png",
            lambda s: encoded(np.where(half_clear(s) == 255, s, 250).astype(np.uint16) * 257,
                              transparency=250 * 257),
            lambda s: np.where(half_clear(s) == 255, s, 0)),
    content("RGBA PNG", "accepted; transparent parts on black", "rgba.png",
            lambda s: encoded(Image.merge("RGBA", [*[Image.fromarray(s)] * 3,
                                                   Image.fromarray(half_clear(s))])),
            lambda s: np.where(half_clear(s) == 255, s, 0)),
    content("grey PNG with alpha (LA)", "accepted; transparent parts on black", "la.png",
            lambda s: encoded(Image.merge("LA", [Image.fromarray(s),
                                                 Image.fromarray(half_clear(s))])),
            lambda s: np.where(half_clear(s) == 255, s, 0)),
    content("EXIF orientation", "accepted; turned upright", "turned.jpg",
            lambda s: encoded(s, "JPEG", quality=95, exif=exif(6)), lambda s: np.rot90(s, -1)),
    content("broken EXIF", "accepted; as if it had none", "exif.jpg",
            lambda s: encoded(s, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff"),
            same),
    content("1 by 1 pixel", "refused: smaller than 16 x 16 pixels", "tiny.png",
            lambda s: encoded(s[:1, :1])),
    content("20000 by 20000 pixels", "refused: more than 50000000 pixels", "huge.png",
            lambda s: png(20000, 20000, 1, 0, (b"\0" + bytes(2500)) * 20000)),
    content("decompression bomb: 200 bytes that claim 4 billion pixels",
            "refused: more than 50000000 pixels", "bomb.png",
            lambda s: png(65000, 65000, 16, 6, bytes(100))),
    content("PNG with far more data than pixels", "refused: blank: every pixel has the same value",
            "fat.png", lambda s: png(64, 64, 8, 0, bytes(9_000_000))),
    content("all black", "refused: blank: every pixel has the same value", "black.png",
            lambda s: encoded(np.zeros_like(s))),
    content("all of one grey", "refused: blank: every pixel has the same value", "grey.jpg",
            lambda s: encoded(np.full_like(s, 90), "JPEG")),
    content("wholly transparent", "refused: blank: every pixel has the same value", "clear.png",
            lambda s: encoded(Image.new("RGBA", (64, 64), (200, 10, 90, 0)))),
    content("colour photograph", "refused: colour photograph, not a grey slice", "photograph.jpg",
            lambda s: encoded(photograph(s), "JPEG")),
    content("Thumbs.db", NO_IMAGE, "Thumbs.db", lambda s: b"\xd0\xcf\x11\xe0" + bytes(99)),
    content("upper-case extension", "accepted", "UPPER.PNG", encoded, same),
    content("no extension", "accepted", "IM-0001", encoded, same),
    content("hidden file", "left out", ".DS_Store", encoded),
    content("in a hidden folder", "left out", ".cache/1.png", encoded),
    content("in nested folders", "accepted; the folder below Training/ or Testing/ is the class",
            "patient 1/scan 2/1.png", encoded, same),
    content("a folder named like a picture", "accepted; what it holds", "folder.jpg/1.png", encoded,
            same),
    content("name with a space", "accepted", "a slice .png", encoded, same),
    content("name with an accent", "accepted", "\u00e9.png", encoded, same),
    content("name with a decomposed accent", "accepted", "e\u0301.png", encoded, same),
    content("name that is HTML", "accepted; escaped in the page",
            "<img src=x onerror=alert(1)>.png", encoded, same),
    content("name of shell characters", "accepted; no shell sees it",
            "$(touch pwned) `touch pwned`; touch pwned | cat & #*?.png", encoded, same),
    content("name that a spreadsheet takes for a formula", "accepted", "=1+1.png", encoded, same),
    content("name that a command takes for an option", "accepted", "-rf.png", encoded, same),
    content("name with a comma and quotes", "accepted", "a,\"b\",'c'.png", encoded, same),
    content("name with a backslash and a pipe", "accepted", "a\\n|b|.png", encoded, same),
    content("name that is written NA", "accepted", "NA", encoded, same),
    content("name with a line break",
            "refused: its name holds a line break or another control character", "a\nb.png",
            encoded),
    content("name with a carriage return",
            "refused: its name holds a line break or another control character", "a\rb.png",
            encoded),
    content("name with a terminal's escape",
            "refused: its name holds a line break or another control character",
            "\x1b[2J.png", encoded),
    Fault("link to a file elsewhere", "accepted; as the file it leads to",
          lambda path: path.symlink_to(_elsewhere(path)), "outside.png"),
    Fault("link to a folder", "refused: a link to a folder, which is not followed",
          lambda path: path.symlink_to(_elsewhere(path).parent), "linked"),
    Fault("link to a folder above itself", "refused: a link to a folder, which is not followed",
          lambda path: path.symlink_to(".."), "up"),
]  # fmt: skip


def _elsewhere(path: Path) -> Path:
    """Write a picture outside of the data set, and give its path."""
    folder = path.parents[3] / "elsewhere"
    folder.mkdir(exist_ok=True)
    (folder / "1.png").write_bytes(encoded(slice_of(77)))
    return folder / "1.png"


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket has a length limit
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


# Files that stop DVC itself: the audit refuses each with its reason, and `check`, which DVC runs
# first, ends with a sentence that names the file.
UNTRACKABLE = [
    Fault("link that leads nowhere", "refused: unreadable: no such file or directory",
          lambda path: path.symlink_to("nowhere.png"), "dangling.png"),
    Fault("link that leads to itself", "refused: unreadable: too many levels of symbolic links",
          lambda path: path.symlink_to(path.name), "loop.png"),
    Fault("named pipe", "refused: not a regular file", os.mkfifo, "pipe.png"),
    Fault("socket", "refused: not a regular file", _socket, "socket.png"),
    Fault("name that is not UTF-8", "refused: its name is not UTF-8",
          lambda path: path.write_bytes(encoded(slice_of(78))), os.fsdecode(b"\xff\xfe.png")),
]  # fmt: skip
# Tested where the tests do not run as root, who may read everything.
UNREADABLE = [
    Fault("file that one may not read", "refused: unreadable: permission denied",
          lambda path: (path.write_bytes(b""), path.chmod(0)), "locked.png"),
    Fault("folder that one may not read", "refused: unreadable: permission denied",
          lambda path: (path.mkdir(), path.chmod(0)), "locked folder"),
]  # fmt: skip


def write_dataset(
    folder: Path, training: int = 6, testing: int = 4, classes=("a", "b"), first: int = 0
) -> None:
    """Write a small data set without a fault."""
    for place, name in enumerate(classes, start=first):
        for split, count in (("Training", training), ("Testing", testing)):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                picture = slice_of(1000 * place + 500 * (split == "Testing") + i)
                (folder / split / name / f"{i}.png").write_bytes(encoded(picture))


def _replace_all(folder: Path, content: bytes) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(content)


def _copy_training_to_testing(folder: Path) -> None:
    shutil.rmtree(folder / "Testing")
    shutil.copytree(folder / "Training", folder / "Testing")


def _one_slice_a_class(folder: Path) -> None:
    for place, name in enumerate(("a", "b")):
        _replace_all(folder / "Training" / name, encoded(slice_of(place)))


def _rename(old: str, new: str) -> Callable:
    return lambda folder: (folder / old).rename(folder / new)


# A whole data set of classes a and b: `make` takes its folder.
DATASETS = [
    Fault("no such folder", "ends: there is no such folder", shutil.rmtree),
    Fault("Training without Testing",
          "ends: but it lacks Testing; it has 'Training'; call its two folders Training and",
          lambda folder: shutil.rmtree(folder / "Testing")),
    Fault("Training and Testing under other names",
          "ends: but it lacks Training; it has 'test', 'train'; call its two folders",
          lambda folder: (_rename("Training", "train")(folder),
                          _rename("Testing", "test")(folder))),
    Fault("Training in capitals",
          "ends: 'TRAINING' differs from 'Training' only in upper and lower case",
          _rename("Training", "TRAINING")),
    Fault("classes without Training and Testing", "ends: these are the classes, but it takes the",
          lambda folder: (_rename("Training/a", "a")(folder), _rename("Training/b", "b")(folder),
                          (folder / "Training").rmdir(), shutil.rmtree(folder / "Testing"))),
    Fault("folder of a class missing", "ends: but it lacks Testing/b; Testing has 'a'; it takes",
          lambda folder: shutil.rmtree(folder / "Testing/b")),
    Fault("folder of a class in another case",
          "ends: Testing has 'B', 'a', where 'B' differs from 'b' only in upper and lower case",
          _rename("Testing/b", "Testing/B")),
    Fault("folder of a class with a space at its end",
          "ends: where 'b ' differs from 'b' only in white space at an end",
          _rename("Training/b", "Training/b ")),
    Fault("folder of a class with a no-break space at its end",
          "ends: where 'b\\xa0' differs from 'b' only in white space at an end",
          _rename("Training/b", "Training/b\xa0")),
    Fault("folder of a class with a space of no width",
          "ends: where 'b\\u200b' differs from 'b' only in spaces, signs or the coding of letters",
          _rename("Training/b", "Training/b\u200b")),
    Fault("folder of a class with a dot at its end",
          "ends: where 'b.' differs from 'b' only in spaces, signs or the coding of letters",
          _rename("Training/b", "Training/b.")),
    Fault("folder of a class is a file", "ends: but Testing/b is a file, not a folder",
          lambda folder: (shutil.rmtree(folder / "Testing/b"),
                          (folder / "Testing/b").write_text("text"))),
    Fault("folder of a class is a link", "ends: but Training/b is a link, and DVC follows no link",
          lambda folder: ((folder / "Training/b").rename(folder / "elsewhere"),
                          (folder / "Training/b").symlink_to(folder / "elsewhere"))),
    Fault("no file at all",
          "ends: no image of a is left to train on: in Training/a, there is no file",
          lambda folder: [path.unlink() for path in folder.rglob("*.png")]),
    Fault("no Training file of a class",
          "ends: no image of b is left to train on: in Training/b, there is no file",
          lambda folder: [path.unlink() for path in (folder / "Training/b").iterdir()]),
    Fault("no Testing file at all",
          "ends: no image is left for test: in Testing, there is no file",
          lambda folder: [path.unlink() for path in (folder / "Testing").rglob("*.png")]),
    Fault("a class wholly refused",
          "ends: no image of b is left to train on: in Training/b, of 6 files 6 were refused "
          "(6 for: not a JPEG or PNG image), 0 held out for validation and none dropped",
          lambda folder: _replace_all(folder / "Training/b", b"text")),
    Fault("Testing wholly refused",
          "ends: no image is left for test: in Testing, of 8 files 8 were refused (8 for",
          lambda folder: _replace_all(folder / "Testing", b"text")),
    Fault("more refused than `audit.max_refused`",
          "ends: 12 of 20 files are refused, more than the share of 0.5 that audit.max_refused "
          "allows; 12 of them for: not a JPEG or PNG image, such as 'Training/a/0.png'",
          lambda folder: _replace_all(folder / "Training", b"text")),
    Fault("every Training image is in Testing too",
          "ends: 0 were refused, 0 held out for validation and 6 dropped as twins of Testing, "
          "since leakage is 'drop'",
          _copy_training_to_testing),
    Fault("every Training image of a class is the same",
          "ends: no image is left for validation, which takes whole groups of twins and patients "
          "and never the last one of a class: the 12 images of Training are in few groups "
          "(a: 1, b: 1); there, of 12 files 0 were refused and none dropped as a twin",
          _one_slice_a_class),
    Fault("a single Training image of each class",
          "ends: the 2 images of Training are in few groups (a: 1, b: 1)",
          lambda folder: [path.unlink() for path in (folder / "Training").rglob("[1-9].png")]),
]  # fmt: skip


def _changed(name: str, value) -> Callable:
    """Give what sets one parameter, by its dotted name."""

    def make(path: Path) -> None:
        parameters = YAML(typ="safe").load(path)
        *sections, key = name.split(".")
        section = parameters
        for part in sections:
            section = section[part]
        section[key] = value
        YAML().dump(parameters, path)

    return make


def _patients(table: str) -> Callable:
    """Give what writes a patients' table beside params.yaml, and names it there."""

    def make(path: Path) -> None:
        (path.parent / "patients.csv").write_text(table, encoding="utf-8")
        _changed("patients", "patients.csv")(path)

    return make


def _text(content: str | bytes) -> Callable:
    content = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(content)


def _replaced(old: str, new: str) -> Callable:
    return lambda path: path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def _added(content: str) -> Callable:
    return lambda path: path.write_text(path.read_text(encoding="utf-8") + content, "utf-8")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n"
for above, below in zip("bcdefghi", "abcdefgh", strict=True):  # nine times as much in each line
    BOMB += f"{above}: &{above} [{', '.join([f'*{below}'] * 9)}]\n"
BOMB += "classes: *i\n"

# params.yaml: `make` takes its path.
PARAMETERS = [
    Fault("missing", "ends: params.yaml is missing here", os.unlink),
    Fault("empty", "ends: params.yaml holds no parameters", _text("")),
    Fault("a list", "ends: params.yaml holds no parameters", _text("- a\n- b\n")),
    Fault("not YAML", "ends: params.yaml is not YAML", _text("classes: [a,\n  b: }")),
    Fault("not UTF-8", "ends: params.yaml is not YAML", _text(b"\xff\xfe\x00c\x00l")),
    Fault("a tag that runs code",
          "ends: params.yaml is not YAML: could not determine a constructor",
          _added("x: !!python/object/apply:os.system ['touch pwned']\n")),
    Fault("a key twice", 'ends: found duplicate key "seed" with value "3"',
          _added("seed: 3\n")),
    Fault("two documents", "ends: not YAML: expected a single document in the stream",
          _added("---\nseed: 3\n")),
    Fault("a date that is none", "ends: params.yaml is not YAML", _added("x: 2020-13-45\n")),
    Fault("a number without digits", "ends: params.yaml is not YAML", _added("x: 0b_\n")),
    Fault("nested 100000 deep (at which DVC itself crashes)",
          "ends: params.yaml is nested too deeply", _text("a: " + "[" * 100000 + "]" * 100000)),
    Fault("an alias within itself", "ends: x is not a parameter", _added("x: &x [*x]\n")),
    Fault("an alias bomb (DVC itself, which reads the file first, does not end on it)",
          "ends: dataset is missing", _text(BOMB)),
    Fault("a key that is none of ours", "ends: train.epoch is not a parameter",
          _changed("train.epoch", 6)),
    Fault("a key missing", "ends: seed is missing",
          _replaced("\nseed:", "\n#")),
    Fault("a list for a mapping", "ends: train is ['a'], but should be a valid dictionary",
          _changed("train", ["a"])),
    Fault("text for a number", "ends: train.epochs is 'six', but should be a valid integer",
          _changed("train.epochs", "six")),
    Fault("a fraction for a whole number", "ends: train.epochs is 2.5",
          _changed("train.epochs", 2.5)),
    Fault("NaN", "ends: train.learning_rate is nan, but should be a finite number",
          _changed("train.learning_rate", float("nan"))),
    Fault("infinity", "ends: train.l2 is inf, but should be a finite number",
          _changed("train.l2", float("inf"))),
    Fault("out of range", "ends: train.dropout is 1.0, but should be less than 1",
          _changed("train.dropout", 1.0)),
    Fault("a share beyond 1",
          "ends: audit.max_refused is 50, but should be less than or equal to 1",
          _changed("audit.max_refused", 50)),
    Fault("a huge number", "ends: train.batch_size is 10", _changed("train.batch_size", 10**30)),
    Fault("a number of 6000 digits", "ends: seed is a number too long to print",
          _replaced("\nseed: 1", "\nseed: 0x" + "f" * 5000)),
    Fault("one class only", "ends: classes is ['a'], but list should have at least 2 items",
          _changed("classes", ["a"])),
    Fault("a class twice", "ends: classes names a class twice", _changed("classes", ["a", "a"])),
    *(Fault(f"a class called {name}", f"ends: classes names '{name}', which is a column",
            _changed("classes", ["a", name]))
      for name in ("path", "group", "patient", "actual", "predicted", "confidence", "all")),
    *(Fault(f"a class called {name}, without quotes", f"ends: classes.1 is {read}, but takes text",
            _replaced("classes:\n- a\n- b\n", f"classes: [a, {name}]\n"))
      for name, read in (("1", "1"), ("true", "True"), ("null", "None"), ("1e3", "1000.0"))),
    Fault("a class that leads out of the folder", "ends: classes.1 is '../b', but",
          _changed("classes", ["a", "../b"])),
    Fault("a class with a line break", "ends: classes.1 is 'a\\nb', but",
          _changed("classes", ["a", "a\nb"])),
    Fault("a healthy class that is no class", "ends: healthy_class is 'c', but takes null or one",
          _changed("healthy_class", "c")),
    Fault("a patients' table that is missing",
          "ends: patients is 'patients.csv', but there is no such file",
          _changed("patients", "patients.csv")),
    Fault("a patients' table without a column",
          "ends: patients is 'patients.csv', but it lacks the column patient; it has 'path', 'who'",
          _patients("path,who\nTraining/a/0.png,p\n")),
    Fault("a patients' table of another set",
          "ends: patients is 'patients.csv', but 1 of its paths are not in the data set: "
          "'Training/x/9.png'; it takes the table of this set, or null",
          _patients("path,patient\nTraining/x/9.png,p\n")),
    Fault("a patients' table that gives a path two patients",
          "ends: patients is 'patients.csv', but it gives 'Training/a/0.png' two patients, 'p' and "
          "'q'",
          _patients("path,patient\nTraining/a/0.png,p\nTraining/a/0.png,q\n")),
    Fault("a patients' table with an empty id",
          "ends: patients is 'patients.csv', but the patient of 'Training/a/0.png' is empty",
          _patients("path,patient\nTraining/a/0.png,\n")),
    Fault("a fold that is not there", "ends: fold is 6, but takes 1 to 5, as many as folds",
          _changed("fold", 6)),
    Fault("a data set's name that a shell would run", "ends: dataset is 'data/$(touch pwned)', but",
          _changed("dataset", "data/$(touch pwned)")),
    Fault("a model's name that a shell would run", "ends: models.x; touch pwned",
          _changed("models.x; touch pwned", {"architecture": "model_1", "data": "none"})),
    Fault("a model's name that leads out of the folder", "ends: models.../x",
          lambda path: _changed("models", {"../x": {"architecture": "model_1", "data": "none"}})(
              path)),
]  # fmt: skip


def _cut(share: float) -> Callable:
    return lambda path: path.write_bytes((old := path.read_bytes())[: int(share * len(old))])


def _table(change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> Callable:
    """Give what edits a CSV, in place or by what it returns; its cells are text."""

    def make(path: Path) -> None:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        changed = change(table)
        (table if changed is None else changed).to_csv(path, index=False, lineterminator="\n")

    return make


def _cell(column: str | int, value: str, where: tuple[str, str] | None = None) -> Callable:
    """Give what sets a cell: of the first row, or the first that has a value in a column."""

    def change(table: pd.DataFrame) -> None:
        row = table.index[table[where[0]] == where[1]][0] if where else 0
        place = table.columns.get_loc(column) if isinstance(column, str) else column
        table.iloc[row, place] = value

    return _table(change)


def _json(change: Callable[[dict], None]) -> Callable:
    def make(path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return make


def _array(change: Callable[[np.ndarray], np.ndarray]) -> Callable:
    def make(path: Path) -> None:
        with open(path, "rb") as file:
            changed = change(np.load(file))
        np.save(path, changed, allow_pickle=True)

    return make


def _accept_text(table: pd.DataFrame) -> None:
    table.loc[table["path"].str.endswith("/text.jpg"), ["accepted", "cluster", "group"]] = [
        "True",
        "99",
        "99",
    ]


class _Touch:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Touch()))


MANIFEST = "data/audit/manifest.csv"
INDEX, SHARD = "data/prepared/train/index.csv", "data/prepared/train/images-00000.npy"
TESTED = "data/prepared/test/images-00000.npy"
ANSWERS, TRAINING = "reports/predictions/model_1.csv", "reports/training/model_1.json"
COMPARISON, MAPS = "reports/comparison/figures.json", "reports/pictures/grad_cam/model_1"
ACCEPTED = ("accepted", "True")
DAMAGED = "is damaged"

# What one stage wrote, edited before another reads it: `name` is that stage and the file, `make`
# takes its path.
RESULTS = [
    Fault("manifest cut in half", "ends: manifest.csv", _cut(0.5), f"prepare {MANIFEST}"),
    Fault("manifest empty", f"ends: manifest.csv {DAMAGED}", _cut(0), f"prepare {MANIFEST}"),
    Fault("rows of the manifest missing", "ends: manifest.csv does not list the files",
          _table(lambda table: table.iloc[:-3]), f"prepare {MANIFEST}"),
    Fault("column of the manifest missing", f"ends: manifest.csv {DAMAGED}, it lacks cluster",
          _table(lambda table: table.drop(columns="cluster")), f"prepare {MANIFEST}"),
    Fault("manifest that leads out of the data set", f"ends: manifest.csv {DAMAGED}",
          _cell("path", "Training/a & b/../../../../etc/passwd", ACCEPTED), f"prepare {MANIFEST}"),
    Fault("manifest that accepts `../../etc/passwd`", f"ends: manifest.csv {DAMAGED}",
          _cell("path", "../../etc/passwd", ACCEPTED), f"prepare {MANIFEST}"),
    Fault("manifest with no number for a cluster", f"ends: manifest.csv {DAMAGED}",
          _cell("cluster", "nan", ACCEPTED), f"prepare {MANIFEST}"),
    Fault("manifest with no answer for accepted", f"ends: manifest.csv {DAMAGED}",
          _cell("accepted", "maybe"), f"prepare {MANIFEST}"),
    Fault("manifest that accepts a refused file", "ends: is not as the audit saw it",
          _table(_accept_text), f"prepare {MANIFEST}"),
    Fault("file of the data set damaged after the audit", "ends: is not as the audit saw it",
          _text(b"text"), "prepare data/mine/Training/a & b/0.png"),
    Fault("file of the data set removed after the audit", "ends: does not list the files",
          os.unlink, "prepare data/mine/Training/a & b/0.png"),
    Fault("image array cut", f"ends: data/prepared/train {DAMAGED}", _cut(0.7), f"balance {SHARD}"),
    Fault("image array empty", f"ends: data/prepared/train {DAMAGED}", _cut(0), f"balance {SHARD}"),
    Fault("image array of another type", f"ends: data/prepared/train {DAMAGED}",
          _array(lambda images: images.astype(np.float32)), f"balance {SHARD}"),
    Fault("image array of another shape", f"ends: data/prepared/train {DAMAGED}",
          _array(lambda images: images.reshape(len(images), 16, -1)), f"balance {SHARD}"),
    Fault("image array with its axes swapped", f"ends: data/prepared/train {DAMAGED}",
          _array(lambda images: images.T), f"balance {SHARD}"),
    Fault("image array of Python objects", f"ends: data/prepared/train {DAMAGED}",
          _array(lambda images: np.array([_Touch()] * len(images))), f"balance {SHARD}"),
    Fault("pickle for an image array", f"ends: data/prepared/train {DAMAGED}", _pickle,
          f"balance {SHARD}"),
    Fault("an image missing from an array", f"ends: data/prepared/train {DAMAGED}",
          _array(lambda images: images[1:]), f"balance {SHARD}"),
    Fault("images of another size for testing", "ends: images differ in size",
          _array(lambda images: images[:, ::2, ::2]), f"compare {TESTED}"),
    Fault("images of another size than image_size", "ends: but image_size is",
          _array(lambda images: images[:, ::2, ::2]), f"balance {SHARD}"),
    Fault("row of an index missing", f"ends: data/prepared/train {DAMAGED}",
          _table(lambda table: table.iloc[1:]), f"balance {INDEX}"),
    Fault("index with a label that is no class", "ends: has images of glioma, which is none of",
          _cell("label", "glioma"), f"balance {INDEX}"),
    Fault("index without a label", f"ends: data/prepared/train {DAMAGED}", _cell("label", ""),
          f"balance {INDEX}"),
    Fault("index with NaN for a weight", f"ends: data/prepared/train {DAMAGED}",
          _cell("weight", ""), f"balance {INDEX}"),
    Fault("index with a negative weight", f"ends: data/prepared/train {DAMAGED}",
          _cell("weight", "-1"), f"balance {INDEX}"),
    Fault("index with text for a group", f"ends: index.csv {DAMAGED}, group is not all numbers",
          _cell("group", "x"), f"balance {INDEX}"),
    Fault("predictions with NaN", f"ends: model_1.csv {DAMAGED}", _cell(4, ""),
          f"compare {ANSWERS}"),
    Fault("predictions with text for a number", f"ends: model_1.csv {DAMAGED}", _cell(4, "x"),
          f"compare {ANSWERS}"),
    Fault("predictions that add up to more than 1", f"ends: model_1.csv {DAMAGED}",
          _cell(4, "1.5"), f"compare {ANSWERS}"),
    Fault("predictions without a class", f"ends: model_1.csv {DAMAGED}, it lacks 1e3",
          _table(lambda table: table.drop(columns="1e3")), f"compare {ANSWERS}"),
    Fault("predictions of another class", f"ends: model_1.csv {DAMAGED}",
          _cell("predicted", "glioma"), f"compare {ANSWERS}"),
    Fault("predictions of which one is not the likeliest class",
          f"ends: model_1.csv {DAMAGED}, predicted is not the likeliest class",
          _table(lambda table: table.assign(predicted=[
              CLASSES[(CLASSES.index(name) + 1) % 4] for name in table["predicted"]])),
          f"compare {ANSWERS}"),
    Fault("predictions of too few images", "ends: model_1.csv is of other images",
          _table(lambda table: table.iloc[1:]), f"compare {ANSWERS}"),
    Fault("predictions in another order", "ends: model_1.csv is of other images",
          _table(lambda table: table.iloc[::-1]), f"compare {ANSWERS}"),
    Fault("predictions cut", "ends: model_1.csv", _cut(0.5), f"compare {ANSWERS}"),
    Fault("record of a training cut", f"ends: model_1.json {DAMAGED}", _cut(0.5),
          f"report {TRAINING}"),
    Fault("record of a training empty", f"ends: model_1.json {DAMAGED}", _cut(0),
          f"report {TRAINING}"),
    Fault("record of a training with NaN", f"ends: model_1.json {DAMAGED}",
          _json(lambda found: found["model_1"].update(val_loss=float("nan"))),
          f"report {TRAINING}"),
    Fault("record of a training without a number", f"ends: model_1.json {DAMAGED}, it lacks epochs",
          _json(lambda found: found["model_1"].pop("epochs")), f"report {TRAINING}"),
    Fault("record of another model", f"ends: model_1.json {DAMAGED}, it lacks model_1",
          _text('{"model_9": {}}'), f"report {TRAINING}"),
    Fault("record of a training as a list", f"ends: model_1.json {DAMAGED}", _text("[1, 2]"),
          f"report {TRAINING}"),
    Fault("comparison cut", f"ends: figures.json {DAMAGED}", _cut(0.5), f"report {COMPARISON}"),
    Fault("comparison with NaN", f"ends: figures.json {DAMAGED}",
          _json(lambda found: found["classifiers"]["model_1"]["accuracy"].update(
              value=float("nan"))), f"report {COMPARISON}"),
    Fault("comparison without a figure", f"ends: figures.json {DAMAGED}, it lacks classifiers",
          _json(lambda found: found.pop("classifiers")), f"report {COMPARISON}"),
    Fault("comparison with text for a number", f"ends: figures.json {DAMAGED}",
          _json(lambda found: found["classifiers"]["model_1"]["accuracy"].update(
              value="high")), f"report {COMPARISON}"),
    Fault("comparison with a number for a mapping",
          "ends: what reports holds does not fit together",
          _json(lambda found: found["classifiers"].update(model_1=1)),
          f"report {COMPARISON}"),
    Fault("counts of the audit missing", f"ends: findings.json {DAMAGED}, it lacks refused",
          _json(lambda found: found.pop("refused")), "report reports/audit/findings.json"),
    Fault("strategies that are none", f"ends: data/strategies.json {DAMAGED}",
          _text('{"strategies": ["../mine"]}'), "balance data/strategies.json"),
    Fault("counts of images that are none",
          f"ends: splits.csv {DAMAGED}, images is not all numbers", _cell("images", "many"),
          "report reports/splits.csv"),
    Fault("layers without their shapes", f"ends: model_1.csv {DAMAGED}, it lacks shape",
          _table(lambda table: table.drop(columns="shape")), "report reports/layers/model_1.csv"),
    Fault("heat map that leads out of its folder", f"ends: index.csv {DAMAGED}",
          _cell("file", "../../../elsewhere/1.png"), f"report {MAPS}/index.csv"),
    Fault("heat map cut", f"ends: 000.png {DAMAGED}", _cut(0.5),
          f"report {MAPS}/000.png"),
    Fault("history without a kept epoch", f"ends: model_1.csv {DAMAGED}, it has not one kept",
          _table(lambda table: table.assign(kept="False")), "report reports/history/model_1.csv"),
]  # fmt: skip


def _many(path: Path) -> None:
    rows = "\n".join(f"Testing/a/{number}.png,0.5,0.5" for number in range(100_000))
    path.write_text(f"path,a,b\n{rows}\n", encoding="utf-8")


def _again(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[[3]]])


# Answers of somebody else's model, on the classes a and b: `make` takes the path of a good file.
JUDGED = [
    Fault("answers on other images",
          "ends: of other images: 1 of its 60 paths are not in Testing, first 'Testing/x/9.png'",
          _cell("path", "Testing/x/9.png")),
    Fault("answers on images of Training", "ends: of other images: 1 of its 60 paths are not in",
          _cell("path", "Training/a/0.png")),
    Fault("100,000 answers on other images", "ends: of other images", _many),
    Fault("an image answered twice", "ends: answers 'Testing/", _table(_again)),
    Fault("probabilities that do not add up to 1",
          "ends: probabilities that do not add up to 1 in 1 of 60 rows", _cell("a", "1.5")),
    Fault("percent for probabilities",
          "ends: probabilities that do not add up to 1 in 60 of 60 rows",
          _table(lambda table: table.assign(a="99.5", b="0.5"))),
    Fault("a negative probability", "ends: has a negative probability in 1 of 60 rows",
          _table(lambda table: table.assign(a=["1.5", *table["a"][1:]],
                                            b=["-0.5", *table["b"][1:]]))),
    Fault("NaN for a probability", "ends: has what is no number in 1 of 60 rows",
          _cell("b", "nan")),
    Fault("no probability", "ends: has what is no number in 1 of 60 rows", _cell("b", "")),
    Fault("text for a probability", "ends: has what is no number in 1 of 60 rows",
          _cell("b", "high")),
    Fault("an infinite probability", "ends: has what is no number in 1 of 60 rows",
          _cell("b", "inf")),
    Fault("a class missing", "ends: lacks b; it has 'path', 'a'",
          _table(lambda table: table.drop(columns="b"))),
    Fault("a class under a name that no parameter explains", "ends: lacks b; it has 'path', 'a'",
          _table(lambda table: table.rename(columns={"b": "bee"}))),
    Fault("two columns for a class", "ends: has two columns for b",
          _table(lambda table: table.assign(B=table["b"]))),
    Fault("no column of paths", "ends: lacks path; it has 'image', 'a', 'b'",
          _table(lambda table: table.rename(columns={"path": "image"}))),
    Fault("a header and no answer", "ends: holds no answer", _text("path,a,b\n")),
    Fault("an empty file", "ends: is no table in CSV", _text("")),
    Fault("a row with a cell too many", "ends: is no table in CSV",
          _text("path,a,b\nTesting/a/0.png,0.5,0.5,0\n")),
    Fault("bytes that are no text", "ends: is no table in CSV",
          lambda path: path.write_bytes(bytes(range(256)) * 9)),
    Fault("the name of one of our models", "ends: needs another name",
          lambda path: path.rename(path.with_name("good.csv"))),
    Fault("a name that is no word", "ends: needs another name",
          lambda path: path.rename(path.with_name("a b.csv"))),
    Fault("no file of answers", "ends: has no file of answers", os.unlink),
    Fault("images without an answer",
          "accepted; all figures, and what stands beside, are on the others, and both are counted",
          _table(lambda table: table.iloc[:-20])),
    Fault("columns and rows in another order, and columns more", "accepted",
          _table(lambda table: table.iloc[::-1, ::-1].assign(group="1", predicted="a"))),
    Fault("probabilities that were rounded", "accepted; they are brought to a sum of 1",
          _table(lambda table: table.assign(
              **{name: [f"{float(p):.2f}" for p in table[name]] for name in "ab"}))),
    Fault("a mark of UTF-8 at the start", "accepted",
          lambda path: path.write_text(path.read_text("utf-8"), "utf-8-sig")),
]  # fmt: skip


def _keras(path: Path, hostile: bool = False) -> None:
    """Write a model, or one that writes a file `ran` beside it when its code is run."""
    import keras  # TensorFlow takes seconds to load, and the table does without

    layers = [keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(3, name="d")]
    if hostile:
        ran = str(path.parent / "ran")
        code = keras.layers.Lambda(lambda x, ran=ran: (Path(ran).touch(), x)[1])
        layers.insert(1, code)
    keras.Sequential(layers).save(path)
    (path.parent / "ran").unlink(missing_ok=True)  # building it ran it once


def _model_with(change: Callable) -> Callable:
    """Give a builder of a model of which a change was made to the folder of its members."""

    def make(path: Path) -> None:
        _keras(path)
        folder = path.parent / "members"
        shutil.unpack_archive(path, folder, "zip")
        change(folder)
        packed = shutil.make_archive(folder, "zip", folder)
        os.replace(packed, path)

    return make


def _foreign_class(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"module": "subprocess", "class_name": "Popen"}
    (folder / "config.json").write_text(json.dumps(config))


def _linked(weights: Path) -> None:
    """Put a link to another file in place of the first array of an HDF5 file."""
    import h5py

    secret, found = weights.parent / "secret.h5", []
    with h5py.File(weights, "r+") as stored:
        stored.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
        with h5py.File(secret, "w") as other:
            other["array"] = stored[found[0]][()]
        del stored[found[0]]
        stored[found[0]] = h5py.ExternalLink(str(secret), "/array")


def _weights(change: Callable = lambda path: None) -> Callable:
    """Give a builder of InceptionV3's weights, changed."""

    def make(path: Path) -> None:
        import keras

        keras.applications.InceptionV3(
            include_top=False, weights=None, input_shape=(80, 80, 3), pooling="avg"
        ).save_weights(path)
        change(path)

    return make


def _narrower(weights: Path) -> None:
    import h5py

    with h5py.File(weights, "r+") as stored:
        name = "layers/conv2d/vars/0"
        array = stored[name][()]
        del stored[name]
        stored[name] = array[..., :-1]


def _of_another_network(path: Path) -> None:
    import keras

    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save_weights(path)


NO_MODEL, NO_WEIGHTS = "is no model that can be opened", "does not hold the weights of inception_v3"
# Files of models and of weights, of which `name` is the ending; `make` takes the file's path.
MODELS = [
    Fault("text for a model", f"ends: {NO_MODEL}", lambda path: path.write_text("no"), "m.keras"),
    Fault("model empty", f"ends: {NO_MODEL}", lambda path: path.write_bytes(b""), "m.keras"),
    Fault(
        "model cut in half",
        f"ends: {NO_MODEL}",
        lambda path: (_keras(path), _cut(0.5)(path)),
        "m.keras",
    ),
    Fault("model that takes images of another size", "ends: takes (32, 32, 1)", _keras, "m.keras"),
    Fault(
        "model that holds code (a Lambda layer); it is not run",
        f"ends: {NO_MODEL}",
        lambda path: _keras(path, hostile=True),
        "m.keras",
    ),
    Fault(
        "model of a class that is not Keras's",
        f"ends: {NO_MODEL}",
        _model_with(_foreign_class),
        "m.keras",
    ),
    Fault(
        "model with a link to another HDF5 file",
        f"ends: {NO_MODEL}",
        _model_with(lambda folder: _linked(folder / "model.weights.h5")),
        "m.keras",
    ),
    Fault(
        "text for weights",
        f"ends: {NO_WEIGHTS}",
        lambda path: path.write_text("no"),
        "x.weights.h5",
    ),
    Fault("weights of another network", f"ends: {NO_WEIGHTS}", _of_another_network, "x.weights.h5"),
    Fault("weights of another shape", f"ends: {NO_WEIGHTS}", _weights(_narrower), "x.weights.h5"),
    Fault(
        "weights with a link to another HDF5 file",
        f"ends: {NO_WEIGHTS}",
        _weights(_linked),
        "x.weights.h5",
    ),
    Fault("weights cut in half", f"ends: {NO_WEIGHTS}", _weights(_cut(0.5)), "x.weights.h5"),
    Fault(
        "model cut in half for weights",
        f"ends: {NO_WEIGHTS}",
        lambda path: (_keras(path), _cut(0.5)(path)),
        "x.weights.keras",
    ),
]

SECTIONS = {
    "File in the folder of a class": CONTENTS,
    "File that DVC itself cannot read: the audit's reason; `check` ends first and names it": (
        UNTRACKABLE + UNREADABLE
    ),
    "Data set": DATASETS,
    "params.yaml": PARAMETERS,
    "What a stage wrote, edited before another reads it": RESULTS,
    "Answers of other people's models, for the study judge": JUDGED,
    "Model and weights files; before, a model's digest has to match dvc.lock": MODELS,
}


def table() -> str:
    """Give all faults as a Markdown table."""

    def cell(text: str) -> str:
        for mark in "\\|<>*_":
            text = text.replace(mark, f"\\{mark}")
        return text

    lines = ["| fault | what happens |", "|---|---|"]
    for section, faults in SECTIONS.items():
        lines.append(f"| **{cell(section)}** | |")
        for fault in faults:
            happens = fault.happens.replace("ends: ", "ends with a sentence: … ", 1)
            lines.append(f"| {cell(fault.what)} | {cell(happens)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
