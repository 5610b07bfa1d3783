"""Write into README and the pages of docs/ what their commands print.

Run ``python docs/commands.py`` from the project's root, after ``dvc repro`` and a commit of that
run. Each runs in a clone of the last commit, which uses the project's cache, so that only what a
command changes is trained: a few minutes. ``python docs/commands.py predict export`` renews these
two alone.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

ROOT = Path(__file__).parent.parent
BACK = "git restore . && dvc checkout --quiet"
NAMES = ("README.md", "docs/experiments.md", "docs/use.md", "docs/judge.md")
PAGES = [ROOT / name for name in NAMES]
# What they show, by the mark there: commands to run before, and the one whose output is shown.
SHOWN = {
    "sigmoid": (["dvc exp run --name sigmoid -S activation=sigmoid"], "dvc metrics diff"),
    "oversample": (["dvc exp run -S models.model_1.data=oversample"], "dvc metrics diff"),
    "experiments": (
        [
            "dvc exp run --queue --name rate -S 'train.learning_rate=0.0001,0.001,0.005' "
            "evaluate@model_1",
            "dvc exp run --run-all",
        ],
        "make --silent --old-file=.venv/installed experiments",
    ),
    "predict": (
        [],
        "python -m brain_mri.predict models/best.keras data/phantom/Testing "
        "--output ../answers.csv 2>&1 && head -4 ../answers.csv | cut -c 1-118",
    ),
    "export": (
        [],
        "python tools/export.py models/best.keras ../best.tflite data/prepared/test 2> /dev/null",
    ),
    "judge": (
        [
            "python tools/answers_from_callable.py studies/judge/example.py:neighbours "
            "data/phantom --output studies/judge/answers/neighbours.csv",
            "dvc --cd studies/judge repro",
        ],
        "dvc --cd studies/judge metrics show",
    ),
    "verdict": ([], "sed -n '/^## neighbours/,/^It is <b>/p' studies/judge/report.md"),
    "leakage": (["dvc exp run -S leakage=keep prepare"], "dvc metrics diff"),
}


def main() -> None:
    """Run every command, or those whose marks are given, and put what it prints between them."""
    marks = sys.argv[1:] or SHOWN
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        for command in (f"dvc cache dir --local {ROOT}/.dvc/cache", "dvc checkout"):
            run(command, folder)
        for mark in marks:
            before, shown = SHOWN[mark]
            for command in before:
                print(command, file=sys.stderr)
                run(command, folder)
            printed = "\n".join(line.rstrip() for line in run(shown, folder).splitlines())
            run(BACK, folder)
            show(mark, printed)


def show(mark: str, printed: str) -> None:
    """Put what was printed between the marks of its name, wherever they stand."""
    start, end = f"<!-- {mark}: docs/commands.py -->\n", f"<!-- end of {mark} -->"
    block = f"{start}```\n{printed}\n```\n{end}"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    for page in PAGES:
        text = pattern.sub(lambda _: block, page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8", newline="\n")


def run(command: str, folder: Path) -> str:
    """Run a command of README in a shell; give what it printed on standard output."""
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": search, "COLUMNS": "120", "PAGER": "cat"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"`{command}` ended with status {done.returncode}")
    return done.stdout.strip("\n")


if __name__ == "__main__":
    main()
