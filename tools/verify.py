"""Rehash what the outputs and DVC's cache hold: `make verify`.

DVC takes a file of its cache for what its name says and does not read it again, so that damage to
one goes unnoticed. Each damaged or missing file is named, with the command that restores it.
"""

import argparse
import hashlib
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from tqdm import tqdm


def main() -> None:
    """Compare every output that a dvc.lock names, and every file of the cache, with its digest."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        repo = Repo()
        made = [out for out in repo.index.outs if out.stage.cmd]
    except DvcException as error:
        sys.exit(f"verify: {error}")
    outs = [out for out in made if out.hash_info]
    unknown = sorted({out.stage.addressing for out in made if not out.hash_info})
    cache = Path(repo.cache.local.path)
    objects = sorted(path for path in cache.glob("[0-9a-f][0-9a-f]/*") if path.is_file())
    bad = {
        path
        for path in tqdm(objects, desc="cache", unit="file", disable=None)
        if _digest(path) != path.parent.name + path.stem
    }
    found: list[tuple[str, str]] = []
    used, absent = set(), 0
    for out in tqdm(outs, desc="outputs", unit="output", disable=None):
        needed, files = _objects(cache, out, bad)
        used |= set(needed)
        at = Path(out.fs_path)
        here = at.exists()
        wrong = list(_wrong(at, out.hash_info.value, files)) if here else []
        lost = [path for path in needed if path in bad or not path.exists()]
        if not here and len(lost) == len(needed):  # never made here, or never pulled
            absent += 1
            continue
        absent += not here
        command = _restore(repo, out, here, wrong, lost)
        for path in wrong:
            state = "damaged" if path.exists() else "missing"
            found.append((f"{state}: {_relative(path)}", command))
        for path in lost:
            state = "damaged" if path in bad else "missing"
            place = needed[path]
            found.append((f"{state} in the cache: {_relative(place)}", command))
    for path in sorted(bad - used):
        found.append(("damaged in the cache: a file of another commit", _remove(path)))
    # In an order to run them in: what is made anew needs what lies in the cache.
    for what, command in sorted(found, key=lambda item: "dvc repro" in item[1]):
        print(f"{what}; to restore it: {command}")
    looked = f"{len(outs)} outputs and {len(objects)} files of the cache"
    print(f"verify: {looked}, {len(found)} damaged or missing")
    if absent:
        print(f"verify: {absent} outputs are not here; `dvc checkout` or `dvc repro` brings them")
    if unknown:
        print(
            f"verify: dvc.lock says nothing of {', '.join(unknown)}, so nothing tells what they "
            "wrote; `git restore '*dvc.lock'` brings a lost lock back, `dvc repro` runs a new stage"
        )
    sys.exit(1 if found or unknown else 0)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _objects(cache: Path, out, bad: set[Path]) -> tuple[dict[Path, Path], dict[str, str] | None]:
    """Give the cache's files of an output and what each is of; and the digests of a folder's files.

    The digests are None for a single file, and for a folder of which the cache has no list.
    """
    at, value = Path(out.fs_path), out.hash_info.value
    if not out.use_cache:
        return {}, None
    listed = cache / value[:2] / value[2:]
    needed = {listed: at}
    if not value.endswith(".dir") or listed in bad or not listed.exists():
        return needed, None
    files = {entry["relpath"]: entry["md5"] for entry in json.loads(listed.read_bytes())}
    needed |= {cache / md5[:2] / md5[2:]: at / name for name, md5 in files.items()}
    return needed, files


def _wrong(at: Path, value: str, files: dict[str, str] | None) -> Iterator[Path]:
    """Give what is damaged or missing of an output in its place; a folder if no list tells more."""
    if not value.endswith(".dir"):
        if not at.is_file() or _digest(at) != value:
            yield at
        return
    here = {path.relative_to(at).as_posix(): path for path in at.rglob("*") if path.is_file()}
    here = {name: path for name, path in here.items() if ".partial" not in path.name}
    digests = {name: _digest(path) for name, path in here.items()}
    if files is None:
        entries = [{"md5": digests[name], "relpath": name} for name in sorted(digests)]
        listing = json.dumps(entries, sort_keys=True).encode()  # as DVC lists a folder
        if hashlib.md5(listing).hexdigest() != value.removesuffix(".dir"):
            yield at
        return
    for name in sorted({*files, *digests}):
        if digests.get(name) != files.get(name):
            yield at / name


def _restore(repo: Repo, out, here: bool, wrong: list[Path], lost: list[Path]) -> str:
    """Give the command that restores an output from where it is whole, or else makes it anew."""
    stage, path = shlex.quote(out.stage.addressing), Path(out.fs_path)
    if here and not wrong:
        return f"{_remove(*lost)} && dvc commit {stage}"
    if out.use_cache and not lost:
        return f"{_remove(path)} && dvc checkout {shlex.quote(_relative(path))}"
    return f"{_remove(path, *lost)} && dvc repro --force --single-item {stage}"


def _remove(*paths: Path) -> str:
    return "rm -rf " + " ".join(shlex.quote(_relative(path)) for path in paths)


def _relative(path: Path) -> str:
    root = Path.cwd()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


if __name__ == "__main__":
    main()
