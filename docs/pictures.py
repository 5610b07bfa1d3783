"""Make README's pictures from the embedded data set and its report.

Run ``python docs/pictures.py`` from the project's root, after ``dvc repro``; it needs Chromium.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from PIL import Image

SIDE = 128


def phantoms(folder: Path, output: Path) -> None:
    """Show four heads in each plane, one row per class."""
    truth = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    rows = truth[(truth["source"] == "") & (truth["class"] == truth["true_class"])]
    rows = rows.drop_duplicates("patient").groupby(["class", "plane"], sort=True).head(4)
    rows = rows.sort_values(["class", "plane"])
    sheet = Image.new("L", (12 * SIDE, rows["class"].nunique() * SIDE))
    for place, path in enumerate(rows["path"]):
        row, column = divmod(place, 12)
        with Image.open(folder / path) as image:
            sheet.paste(image.convert("L").resize((SIDE, SIDE)), (column * SIDE, row * SIDE))
    sheet.save(output, optimize=True)


def screenshot(page: Path, output: Path) -> None:
    """Take a picture of the top of a page, as a reader sees it."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--disable-background-networking", f"--user-data-dir={profile}"),
                *("--window-size=1280,1500", f"--screenshot={output}", page.resolve().as_uri()),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    phantoms(Path("data/phantom"), Path("docs/phantom.png"))
    screenshot(Path("reports/index.html"), Path("docs/report.png"))
