"""Run a grid of experiments on every machine that starts this, each point of it on one machine.

    python tools/grid.py -S activation=relu,sigmoid -S seed=1,2,3

The machines share the Git remote `origin` and DVC's default remote, and start from the same commit.
A machine claims a point by pushing a new ref, refs/grid/<point>: Git lets one of them create it and
refuses the others. DVC runs the point and pushes its data; then one push of Git brings the
experiment, which marks the point as done, and takes the claim back. A machine that dies leaves its
claim: --list shows it, --release takes it back, and the clone itself goes on with it when the grid
is started there again.
"""

import argparse
import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.experiments.refs import ExpRefInfo
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import get_hydra_sweeps
from filelock import FileLock, Timeout
from hydra.errors import HydraException

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = "refs/grid/"
OWN = "refs/grid-of-this-clone/"  # the last claim that this clone made of each point
# Back to the commit after a run. Unsaved is what a killed stage has written.
RESTORE = ("restore", "--staged", "--worktree", ".")
CHECKOUT = ("checkout", "--force", "--allow-missing", "--with-deps")
CTRL_C = threading.Event()


class Point(NamedTuple):
    """One combination of values, to run from the commit `head`."""

    name: str
    head: str
    overrides: list[str]

    @property
    def claim(self) -> str:
        """The ref that the machine creates that runs it."""
        return CLAIMS + self.name

    @property
    def result(self) -> str:
        """The ref of the experiment that DVC makes of it."""
        return str(ExpRefInfo(self.head, self.name))


def main() -> None:
    """Run the points that no other machine has; or list or release claims."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-S",
        "--set-param",
        action="append",
        default=[],
        metavar="NAME=VALUE,...",
        help="as of `dvc exp run --queue`",
    )
    parser.add_argument("--list", action="store_true", help="show the claims of all machines")
    parser.add_argument("--release", nargs="+", metavar="POINT", help="take claims back")
    parser.add_argument("target", nargs="*", help="stages to run, with what they depend on; or all")
    arguments = parser.parse_args()
    # DVC and Git hear Ctrl-C themselves and end first, so that they leave nothing half done.
    signal.signal(signal.SIGINT, lambda *_: CTRL_C.set())
    os.chdir(ROOT)
    try:
        if arguments.release:
            _release(arguments.release)
        elif arguments.list:
            print("\n".join(_claims().values()) or "grid: no point is claimed")
        else:
            _run_grid(arguments.set_param, arguments.target)
    except KeyboardInterrupt:
        sys.exit(130)


def _release(names: list[str]) -> None:
    claims = _claims()
    for name in names:
        if name not in claims:
            sys.exit(f"grid: no machine has {name}; --list shows what is claimed")
        _git("push", "--quiet", "origin", f":{CLAIMS}{name}")


def _claims() -> dict[str, str]:
    """Give who has what and since when, by the names of the points."""
    _git("fetch", "--quiet", "--prune", "origin", f"+{CLAIMS}*:{CLAIMS}*")
    line = "%(refname:lstrip=2)%09%(refname:lstrip=2), %(committerdate:relative), %(subject)"
    lines = _git("for-each-ref", f"--format={line}", CLAIMS).splitlines()
    return dict(line.split("\t", 1) for line in lines)


def _run_grid(overrides: list[str], targets: list[str]) -> None:
    points = _points(overrides, targets)
    ran: list[Point] = []
    failed: list[Point] = []
    try:
        with FileLock(".dvc/tmp/grid.lock", blocking=False):
            for point in points:
                if commit := _claim(point):
                    try:
                        (ran if _run(point, commit, targets) else failed).append(point)
                    finally:  # no more there if it ran
                        _unclaim(point, commit)
    except Timeout:
        sys.exit("grid: another one runs in this folder")
    print(f"grid: {len(ran)} of {len(points)} points ran here; `dvc exp pull origin` brings all")
    claims = _claims()
    for point in points:
        if point.name in claims:
            print(f"grid: claimed is {claims[point.name]}")
    if failed:
        sys.exit(f"grid: failed here: {' '.join(point.name for point in failed)}")


def _points(overrides: list[str], targets: list[str]) -> list[Point]:
    """Give all combinations of values; the name of each is the same on every machine."""
    try:
        if not Repo().config["core"].get("remote"):
            sys.exit("grid: DVC has no default remote to share results; docs/team.md tells how")
        sweeps = list(get_hydra_sweeps(to_path_overrides(overrides)))
    except (DvcException, HydraException) as error:
        sys.exit(f"grid: {' '.join(str(error).split())}")
    if changed := _git("diff", "--name-only", "HEAD"):
        back = f"git {shlex.join(RESTORE)} && dvc {shlex.join((*CHECKOUT, *targets))}"
        sys.exit(
            f"grid: all machines start from a commit, but {changed.splitlines()[0]} is changed "
            f"here; `{back}` drops what a killed grid has left, and all other changes"
        )
    head = _git("rev-parse", "HEAD")
    points = []
    for sweep in sweeps:
        values = sorted(f"{path}:{value}" for path in sweep for value in sweep[path])
        digest = hashlib.sha256(json.dumps([head, values, targets]).encode()).hexdigest()
        points.append(Point(f"grid-{digest[:10]}", head, values))
    return points


def _claim(point: Point) -> str | None:
    """Create the point's ref in the shared repository, unless it is done or another machine's."""
    for _ in range(3):  # what Git refused us for may be gone when we look for it
        there = _remote(point.claim, point.result)
        if commit := there.get(point.claim):  # ours is of a run here that was killed
            return commit if commit == _try_git("rev-parse", OWN + point.name).stdout else None
        if point.result in there:
            return None
        commit = _new_claim(point)
        _git("update-ref", OWN + point.name, commit)
        create = (f"--force-with-lease={point.claim}:", f"{commit}:{point.claim}")
        refused = _try_git("push", "--quiet", create[0], "origin", create[1])
        if not refused.returncode:
            if point.result not in _remote(point.result):
                return commit
            _unclaim(point, commit)  # it was done after we had looked
            return None
    sys.exit(f"grid: Git could not claim a point: {_reason(refused)}")


def _new_claim(point: Point) -> str:
    """Make a commit that changes nothing and is like no other; its subject tells who and what."""
    subject = f"on {socket.gethostname()}:{ROOT}: {' '.join(point.overrides)}"
    tree, text = f"{point.head}^{{tree}}", f"{subject}\n\n{uuid.uuid4()}"
    who = ("-c", "user.name=grid", "-c", "user.email=grid")
    return _git(*who, "commit-tree", "-p", point.head, "-m", text, tree)


def _unclaim(point: Point, commit: str) -> None:
    """Take our claim back, unless someone has released it and another machine has claimed."""
    _try_git("push", "--quiet", _if_ours(point, commit), "origin", f":{point.claim}")


def _if_ours(point: Point, commit: str) -> str:
    return f"--force-with-lease={point.claim}:{commit}"


def _run(point: Point, commit: str, targets: list[str]) -> bool:
    """Run a point that we have, push its data and then the experiment; False if a stage failed."""
    _raise_ctrl_c()
    try:
        if _try_git("rev-parse", "--verify", "--quiet", point.result).returncode:
            print(f"grid: {point.name}: {' '.join(point.overrides)}", flush=True)
            values = [word for override in point.overrides for word in ("-S", override)]
            if _dvc("exp", "run", "--name", point.name, *values, *targets):
                return False
        else:  # it ran here, but did not get as far as being pushed
            print(f"grid: {point.name} ran here before, and is pushed", flush=True)
            _git("restore", "--source", point.result, ".")
        push = ("push", "--quiet", "--with-deps", *targets)
        if status := _dvc(*push):
            sys.exit(f"grid: `dvc {shlex.join(push)}` ended with status {status}")
        done = (point.result, f":{point.claim}")
        _git("push", "--quiet", "--atomic", _if_ours(point, commit), "origin", *done)
        return True
    finally:
        _git(*RESTORE)
        _dvc(*CHECKOUT, "--quiet", *targets)


def _remote(*refs: str) -> dict[str, str]:
    """Give those of some refs that the shared repository has, with their commits."""
    lines = _git("ls-remote", "origin", *refs).splitlines()
    return {ref: commit for commit, ref in map(str.split, lines)}


def _git(*arguments: str) -> str:
    done = _try_git(*arguments)
    if done.returncode:
        _raise_ctrl_c()
        sys.exit(f"grid: Git failed: {_reason(done)}")
    return done.stdout


def _try_git(*arguments: str) -> subprocess.CompletedProcess:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    done.stdout = done.stdout.strip()
    return done


def _reason(done: subprocess.CompletedProcess) -> str:
    """Give the line in which Git says what is wrong; those after it are advice."""
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return next((line for line in lines if line.startswith(("fatal: ", " ! "))), lines[0]).strip()


def _dvc(*arguments: str) -> int:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # stages call python
    command = [sys.executable, "-m", "dvc", *arguments]
    status = subprocess.run(command, env=os.environ | {"PATH": search}).returncode
    _raise_ctrl_c()
    return status


def _raise_ctrl_c() -> None:
    if CTRL_C.is_set():
        CTRL_C.clear()  # what follows takes the claim back, and is not to be interrupted
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
