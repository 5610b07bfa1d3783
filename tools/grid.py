"""Run a grid of experiments on every machine that starts this, each point of it on one machine.

    python tools/grid.py -S activation=relu,sigmoid -S seed=1,2,3

The machines share the Git remote `origin` and DVC's default remote, and start from the same commit.
A machine claims a point by pushing a new ref, refs/grid/<point>: Git lets one of them create it and
refuses the others. DVC runs the point; its data and then the experiment are pushed, which marks it
as done, and the claim is taken back. A machine that dies leaves its claim: --list shows it,
--release takes it back, and the machine itself goes on with it when it is started again.
"""

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.experiments.refs import ExpRefInfo
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import get_hydra_sweeps
from filelock import FileLock, Timeout
from hydra.errors import HydraException

MACHINE = f"{socket.gethostname()}:{Path.cwd()}"
CLAIMS = "refs/grid/"
BACK = "git restore --staged --worktree . && dvc checkout --allow-missing"


class Claim(NamedTuple):
    """A point that a machine has, as the shared repository tells."""

    name: str
    commit: str
    machine: str
    age: str
    setting: str

    def __str__(self) -> str:
        return f"{self.name} on {self.machine}, {self.age}: {self.setting}"


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
    try:
        if arguments.release:
            claims = _claims()
            for name in arguments.release:
                if name not in claims:
                    sys.exit(f"grid: no machine has {name}; --list shows what is claimed")
                _release(name, claims[name].commit)
        elif arguments.list:
            print("\n".join(map(str, _claims().values())) or "grid: no point is claimed")
        else:
            _run_grid(arguments.set_param, arguments.target)
    except KeyboardInterrupt:
        sys.exit(130)


def _run_grid(overrides: list[str], targets: list[str]) -> None:
    try:
        if not Repo().config["core"].get("remote"):
            sys.exit("grid: DVC has no default remote to share results; docs/team.md tells how")
        sweeps = list(get_hydra_sweeps(to_path_overrides(overrides)))
    except (DvcException, HydraException) as error:
        sys.exit(f"grid: {' '.join(str(error).split())}")
    if changed := _git("diff", "--name-only", "HEAD"):
        sys.exit(
            f"grid: all machines start from a commit, but {changed.splitlines()[0]} is changed "
            f"here; `{BACK}` drops all changes"
        )
    head = _git("rev-parse", "HEAD")
    points = {}
    for sweep in sweeps:
        setting = sorted(f"{path}:{value}" for path in sweep for value in sweep[path])
        digest = hashlib.sha256(json.dumps([head, setting, targets]).encode()).hexdigest()
        points[f"grid-{digest[:10]}"] = setting
    try:
        with FileLock(".dvc/tmp/grid.lock", blocking=False):
            ran = [name for name in points if _take(name, head, points[name], targets)]
    except Timeout:
        sys.exit("grid: another one runs in this folder")
    print(f"grid: {len(ran)} of {len(points)} points ran here; `dvc exp pull origin` brings all")
    for name, claim in _claims().items():
        if name in points:
            print(f"grid: claimed is {claim}")


def _take(name: str, head: str, setting: list[str], targets: list[str]) -> bool:
    """Run a point unless it is done or another machine's, and tell whether it ran."""
    result = str(ExpRefInfo(head, name))
    # Once before the claim to spare it, once after, since it may have been done in between.
    if _remote_has(result) or not (commit := _claim(name, head, setting)):
        return False
    try:
        if _remote_has(result):
            return False
        print(f"grid: {name}: {' '.join(setting)}", flush=True)
        _run(name, result, setting, targets)
        return True
    finally:
        _release(name, commit)


def _claim(name: str, head: str, setting: list[str]) -> str | None:
    """Create the point's ref in the shared repository; None if another machine has.

    It is a commit on `head`, with the machine for its author, that changes nothing.
    """
    who = ("-c", f"user.name={MACHINE}", "-c", "user.email=grid")
    text = f"{' '.join(setting)}\n\n{uuid.uuid4()}"  # no two claims are the same commit
    commit = _git(*who, "commit-tree", "-p", head, "-m", text, f"{head}^{{tree}}")
    ref = CLAIMS + name
    push = ("push", "--quiet", f"--force-with-lease={ref}:", "origin", f"{commit}:{ref}")
    if not (refused := _try_git(*push)).returncode:
        return commit
    if claim := _claims().get(name):
        return claim.commit if claim.machine == MACHINE else None  # ours: of a run that was killed
    if _remote_has(str(ExpRefInfo(head, name))):
        return None
    sys.exit(f"grid: Git could not claim a point: {_reason(refused)}")


def _release(name: str, commit: str) -> None:
    """Take a claim back, unless it has changed hands."""
    ref = CLAIMS + name
    _try_git("push", "--quiet", f"--force-with-lease={ref}:{commit}", "origin", f":{ref}")


def _run(name: str, result: str, setting: list[str], targets: list[str]) -> None:
    """Run a point, push its data and then the experiment, and go back to the commit."""
    try:
        if _try_git("rev-parse", "--verify", "--quiet", result).returncode:
            overrides = [word for override in setting for word in ("-S", override)]
            _dvc("exp", "run", "--name", name, *overrides, *targets)
        else:  # it ran, and was killed before it was pushed
            _dvc("exp", "apply", name)
        _dvc("push", "--quiet", "dvc.yaml")
        _dvc("exp", "push", "--quiet", "--no-cache", "origin", name)
    finally:  # as BACK
        _git("restore", "--staged", "--worktree", ".")
        _dvc("checkout", "--quiet", "--allow-missing")


def _claims() -> dict[str, Claim]:
    """Give the claims of all machines by the names of their points."""
    _git("fetch", "--quiet", "--prune", "origin", f"+{CLAIMS}*:{CLAIMS}*")
    fields = ("refname:lstrip=2", "objectname", "authorname", "authordate:relative", "subject")
    line = "%09".join(f"%({field})" for field in fields)
    lines = _git("for-each-ref", f"--format={line}", CLAIMS).splitlines()
    claims = [Claim(*line.split("\t", 4)) for line in lines]
    return {claim.name: claim for claim in claims}


def _remote_has(ref: str) -> bool:
    return bool(_git("ls-remote", "origin", ref))


def _try_git(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *arguments], capture_output=True, text=True)


def _git(*arguments: str) -> str:
    done = _try_git(*arguments)
    if done.returncode:
        sys.exit(f"grid: `git {arguments[0]}` failed: {_reason(done)}")
    return done.stdout.strip()


def _reason(done: subprocess.CompletedProcess) -> str:
    """Give the line in which Git says what is wrong; those after it are advice."""
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return next((line for line in lines if line.startswith(("fatal: ", " ! "))), lines[0]).strip()


def _dvc(*arguments: str) -> None:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # stages call python
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments], env=os.environ | {"PATH": search}
    )
    try:
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # DVC has heard it too, and ends its stage first
        raise
    if status:
        sys.exit(f"grid: `dvc {' '.join(arguments)}` ended with status {status}")


if __name__ == "__main__":
    main()
