"""Say how the machine that trained a Git revision's models differs from this one's; else nothing.

Usage, from the project's root: PYTHONPATH=. python .github/machine.py origin/main
"""

import json
import subprocess
import sys
from pathlib import Path

from brain_mri.report.contents import machine

revision = sys.argv[1]
compared, differences = [], {}
for path in sorted(Path("reports").glob("training/*.json")):
    show = ["git", "show", f"{revision}:{path.as_posix()}"]
    shown = subprocess.run(show, capture_output=True, encoding="utf-8")
    if shown.returncode:  # a new model
        continue
    name = path.stem
    before, after = (
        machine(json.loads(text)[name]) for text in (shown.stdout, path.read_text(encoding="utf-8"))
    )
    compared.append(name)
    for key in before | after:
        change = (key, before.get(key, "unknown"), after.get(key, "unknown"))
        if change[1] != change[2]:
            differences.setdefault(change, []).append(name)
if differences:
    parts = [
        f"{key}{'' if names == compared else ' of ' + ' and '.join(names)} `{before}` → `{after}`"
        for (key, before, after), names in differences.items()
    ]
    print(
        f"**Not trained on the same as `{revision}`; metrics may differ for that alone:** "
        f"{', '.join(parts)}.\n"
    )
