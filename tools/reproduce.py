"""Show that the same inputs give the same bytes on this machine: `make reproduce`.

The last commit is cloned twice. Each clone runs the pipeline from an empty cache, and one of them
once more in place. Whatever differs is printed.
"""

import argparse
import difflib
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
from ruamel.yaml import YAML

PAGE = "reports/index.html"  # the one output that shows times by the clock, each in a span


def main() -> None:
    """Run the pipeline three times; end with status 1 if any two runs differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", help="stages to run, with what they depend on; or all")
    targets = parser.parse_args().target
    with TemporaryDirectory() as scratch:
        one, two = Path(scratch, "one"), Path(scratch, "two")
        first, second = _run_clone(one, targets), _run_clone(two, targets)
        again = _run(one, targets)
        differences = [
            *_differences("a clone and another", first, second),
            *_differences("a clone and the same run again", first, again),
        ]
    for line in differences:
        print(line)
    if differences:
        sys.exit(1)
    print(f"reproduce: {len(first) - 1} files of outputs and dvc.lock are the same in three runs")


def _run_clone(folder: Path, targets: list[str]) -> dict[str, bytes]:
    subprocess.run(["git", "clone", "--quiet", ".", folder], check=True)
    _dvc(folder, "config", "--quiet", "--local", "cache.dir", "cache")  # its own, in .dvc
    return _run(folder, targets)


def _run(folder: Path, targets: list[str]) -> dict[str, bytes]:
    """Run every stage, and give dvc.lock and a digest of each file of its outputs.

    The committed dvc.lock stays, since DVC writes new stages in the order in which they ran, which
    is partly chance.
    """
    _dvc(folder, "repro", "--quiet", "--force", "--no-run-cache", *targets)
    lock = (folder / "dvc.lock").read_text(encoding="utf-8")
    page = rf"(- path: {re.escape(PAGE)}\n +hash: md5\n) +md5: .*\n +size: .*\n"
    found = {"dvc.lock": re.sub(page, r"\1", lock).encode()}
    for stage in YAML(typ="safe").load(lock)["stages"].values():
        for out in stage["outs"]:
            path = folder / out["path"]
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    content = file.read_bytes()
                    if out["path"] == PAGE:
                        content = re.sub(rb'(<span class="time">).*?</span>', rb"\1", content)
                    name = file.relative_to(folder).as_posix()
                    found[name] = hashlib.sha256(content).digest()
    return found


def _dvc(folder: Path, *arguments: str) -> None:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # stages call python
    command = [sys.executable, "-m", "dvc", *arguments]
    if status := subprocess.run(command, cwd=folder, env=os.environ | {"PATH": search}).returncode:
        sys.exit(f"reproduce: `dvc {' '.join(arguments)}` ended with status {status}")


def _differences(what: str, one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Give a line for each file that differs, and what differs in dvc.lock."""
    names = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    locks = [lock["dvc.lock"].decode().splitlines() for lock in (one, other)]
    return [
        *(f"{name} differs between {what}" for name in names),
        *difflib.unified_diff(*locks, "dvc.lock", "dvc.lock", n=4, lineterm=""),
    ]


if __name__ == "__main__":
    main()
