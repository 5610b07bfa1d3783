"""Rehash what the outputs and DVC's cache hold, of the benchmark and of every study: `make verify`.

DVC takes a file of its cache for what its name says and does not read it again, so that damage to
one goes unnoticed. Each damaged or missing file is named, with the command that restores it; run
the commands in the order in which they are printed.
"""

import argparse
import hashlib
import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
from dvc.exceptions import DvcException
from dvc.repo import Repo
from tqdm import tqdm


class State(NamedTuple):
    """What an output is like: what is wrong in its place, and what is lost in the cache."""

    at: Path
    cached: bool  # by DVC, and not by Git
    here: bool
    wrong: list[Path]
    lost: dict[Path, Path]  # of the cache's files, what each is of
    absent: bool  # neither here nor in the cache: never made here, or never pulled


def main() -> None:
    """Compare every output that a dvc.lock names, and every file of the cache, with its digest."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    studies = sorted(folder.parent for folder in Path("studies").glob("*/.dvc"))
    whole = [_is_whole(project) for project in (Path(), *studies)]
    sys.exit(0 if all(whole) else 1)


def _is_whole(project: Path) -> bool:
    """Look at a project of DVC, and print what is damaged; False if anything is."""
    study = project != Path()
    make, name = ("make studies", f"{project}: ") if study else ("make repro", "")
    with chdir(project):
        try:
            repo = Repo()
            graph = repo.index.graph
        except DvcException as error:
            sys.exit(f"verify: {name}{error}")
        order = TopologicalSorter({stage: set(graph.successors(stage)) for stage in graph})
        stages = [stage for stage in order.static_order() if stage.cmd]
        cache = Path(repo.cache.local.path)
        objects = sorted(path for path in cache.glob("[0-9a-f][0-9a-f]/*") if path.is_file())
        bad = {
            path
            for path in tqdm(objects, desc=f"{name}cache", unit="file", disable=None)
            if _digest(path) != path.parent.name + path.stem
        }
        found: list[tuple[str, str]] = []
        used, absent, looked = set(), 0, 0
        remade: list[Path] = []  # what the commands make anew, and so perhaps other than it was
        restored: list[Path] = []  # what they bring back as it was
        for stage in tqdm(stages, desc=f"{name}stages", unit="stage", disable=None):
            states = []
            for out in stage.outs:
                if out.hash_info:
                    needed, files = _objects(cache, out, bad)
                    used |= set(needed)
                    states.append(_state(out, needed, files, bad))
            looked += len(states)
            absent += sum(not state.here for state in states)
            damaged = [
                state for state in states if not state.absent and (state.wrong or state.lost)
            ]
            if not damaged:
                continue
            anew = _is_stale(stage, remade, restored) or any(
                state.absent
                or ((state.wrong or not state.here) and (state.lost or not state.cached))
                for state in states
            )
            (remade if anew else restored).extend(state.at for state in states)
            command = _restore(stage, states, anew)
            if study:
                first = "dvc repro prepare && " if anew else ""
                command = f"{first}(cd {shlex.quote(str(project))} && {command})"
            for state in damaged:
                found += [(what, command) for what in _names(state, project, bad)]
        unknown = sorted(
            stage.addressing for stage in stages if not all(out.hash_info for out in stage.outs)
        )
        lock = Path("dvc.lock").exists()
        others = [project / _relative(path) for path in sorted(bad - used)]
    for path in others:
        what = "damaged in the cache: a file of another commit"
        found.insert(0, (what, _remove([path])))
    for what, command in found:
        print(f"{what}; to restore it: {command}")
    count = f"{looked} outputs and {len(objects)} files of the cache"
    print(f"verify: {name}{count}, {len(found)} damaged or missing")
    if absent:
        print(f"verify: {name}{absent} outputs are not here; `{make}` brings them")
    if unknown:
        way = f"`{make}` runs them"
        if not lock:
            way = f"`git checkout HEAD -- {(project / 'dvc.lock').as_posix()}` brings it back"
        print(
            f"verify: {name}dvc.lock says nothing of {', '.join(unknown)}, so nothing tells what "
            f"they wrote; {way}"
        )
    return not found and not unknown


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


def _state(out, needed: dict[Path, Path], files: dict[str, str] | None, bad: set[Path]) -> State:
    at = Path(out.fs_path)
    here = at.exists()
    lost = {path: of for path, of in needed.items() if path in bad or not path.exists()}
    return State(
        at=at,
        cached=out.use_cache,
        here=here,
        wrong=list(_wrong(at, out.hash_info.value, files)) if here else [],
        lost=lost,
        absent=not here and len(lost) == len(needed),
    )


def _names(state: State, project: Path, bad: set[Path]) -> Iterator[str]:
    """Give a line for each file of an output that is damaged or missing, here or in the cache."""
    for path in state.wrong:
        yield f"{'damaged' if path.exists() else 'missing'}: {project / _relative(path)}"
    for path, of in state.lost.items():
        how = "damaged" if path in bad else "missing"
        yield f"{how} in the cache: {project / _relative(of)}"


def _is_stale(stage, remade: list[Path], restored: list[Path]) -> bool:
    """Tell if a stage would run again even if nothing were damaged."""
    for dependency in stage.deps:
        at = Path(dependency.fs_path)
        if _overlaps(at, remade) or (dependency.status() and not _overlaps(at, restored)):
            return True
    return stage.changed_stage()


def _overlaps(path: Path, others: list[Path]) -> bool:
    return any(path.is_relative_to(other) or other.is_relative_to(path) for other in others)


def _restore(stage, states: list[State], anew: bool) -> str:
    """Give the command that makes a stage's outputs anew, or restores them from where they are."""
    name = shlex.quote(stage.addressing)
    lost = [path for state in states for path in state.lost if path.exists()]
    if anew:
        damaged = [state.at for state in states if state.here and (state.wrong or state.lost)]
        parts = [_remove([*damaged, *lost]), f"dvc repro {name}"]
    else:
        wrong = [state.at for state in states if state.wrong]
        parts = [_remove([*wrong, *lost])]
        if away := [state.at for state in states if state.wrong or not state.here]:
            parts.append("dvc checkout " + " ".join(shlex.quote(_relative(at)) for at in away))
        if any(state.lost for state in states):
            parts.append(f"dvc commit {name}")
    return " && ".join(filter(None, parts))


def _remove(paths: Iterable[Path]) -> str:
    words = [shlex.quote(_relative(path)) for path in paths]
    return " ".join(["rm -rf", *words]) if words else ""


def _relative(path: Path) -> str:
    root = Path.cwd()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


if __name__ == "__main__":
    main()
