"""Tell what came out, as a page and as a summary for a pull request."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.console import stage
from brain_mri.errors import InputError, one_line
from brain_mri.report import page, plots, sections
from brain_mri.report.reading import Reports
from brain_mri.storage import write_table, write_text


def main() -> None:
    """Read what the other stages reported; write the page, the summary and the plots' tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    arguments = parser.parse_args()

    with stage("report") as done:
        parameters = params.load()
        try:
            reports = Reports(arguments.reports, parameters)
            results, tables = sections.gather(reports), plots.tables(reports)
            html, summary = page.html_page(results), page.markdown_summary(results)
        except (InputError, OSError, MemoryError):
            raise
        # Every figure comes from files of other stages; one that was edited can break any line.
        except Exception as error:
            raise InputError(
                f"what {arguments.reports} holds does not fit together "
                f"({type(error).__name__}: {one_line(error)}); run `dvc repro --force` to make it "
                "again, and if that does not help, report this line"
            ) from error
        for name, table in tables.items():
            write_table(arguments.reports / f"plots/{name}.csv", table)
        write_text(arguments.reports / "index.html", html)
        write_text(arguments.reports / "report.md", summary)
        done(f"{len(parameters.models)} models, {len(html) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
