"""Ask the page 200 times, as 8 people would at once, and time every answer.

    python benchmarks/app_load.py models/best.keras data/phantom/Testing

From the project's root, with what `make app` installs; it takes a few minutes. It starts the page
as `make app` does, and each of 8 threads sends the slices of the folder, one at a time and the next
as soon as the last is answered. Every page has to arrive whole, name the file that was sent, and
give the same class and probabilities as `brain_mri.predict` gives of it. What is measured goes to
benchmarks/readings/app_load.csv: seconds from sending to the last byte, and the memory that the
server held after its first and its last answer, in MB.
"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
import psutil

from brain_mri.use import classifier
from brain_mri.use.asking import answer_files, list_slices

PEOPLE, REQUESTS = 8, 200
TABLE = Path(__file__).parent / "readings/app_load.csv"
BOUNDARY = "slices"


def main() -> None:
    """Learn the answers, start the page, and ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("slices", type=Path, help="folder")
    arguments = parser.parse_args()
    listed = list_slices([arguments.slices])
    listed = listed[:: -(-len(listed) // REQUESTS)]  # of every class
    found = classifier.read(arguments.model)
    answers = answer_files(found, listed)
    command = [sys.executable, "-m", "brain_mri.app", str(arguments.model), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://(\S+)", server.stdout.readline())[1]
        rows = answers.to_dict("records")
        rows = [rows[place % len(rows)] for place in range(REQUESTS)]
        time_answer(address, rows[0], found.card.classes)  # the first one compiles the model
        memory = [psutil.Process(server.pid).memory_info().rss / 1e6]
        start = perf_counter()
        with ThreadPoolExecutor(PEOPLE) as people:
            seconds = list(
                people.map(lambda row: time_answer(address, row, found.card.classes), rows)
            )
        took = perf_counter() - start
        memory.append(psutil.Process(server.pid).memory_info().rss / 1e6)
    finally:
        server.terminate()
        server.wait()
    measured = {"people": PEOPLE, "requests": REQUESTS, "lost": REQUESTS - len(seconds)}
    times = pd.Series(seconds)
    measured |= {"median_s": times.median(), "p95_s": times.quantile(0.95), "all_s": took}
    measured |= {"first_mb": memory[0], "last_mb": memory[1]}
    table = pd.DataFrame([measured]).round(2)
    table.to_csv(TABLE, index=False, lineterminator="\n")
    print(table.to_string(index=False))


def time_answer(address: str, row: dict, classes: list[str]) -> float:
    """Send a slice, check what comes back, and give the seconds it took."""
    path = Path(row["path"])
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="slices"; filename="{path.name}"\r\n\r\n'
    )
    body = head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    start = perf_counter()
    connection = HTTPConnection(address)
    connection.request(
        "POST", "/", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    )
    answer = connection.getresponse()
    page = unescape(answer.read().decode())
    seconds = perf_counter() - start
    assert answer.status == 200, page
    assert page.rstrip().endswith("</html>")
    assert f"<bdi>{path.name}</bdi>" in page
    assert f'class="outcome {row["outcome"]}"' in page
    if row["outcome"] != "refused":
        shown = re.findall(r'<td class="value">([^<]*)</td>', page)
        assert [float(value.replace(",", ".")) for value in shown] == [
            round(row[name], 3) for name in classes
        ]
    return seconds


if __name__ == "__main__":
    main()
