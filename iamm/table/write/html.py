"""A comparison table as one HTML file that opens from disk: nothing is fetched, nothing is run."""

from __future__ import annotations

from pathlib import Path

from iamm.table.table import Table
from iamm.table.write.html_curves import curves
from iamm.table.write.html_examples import examples, pictures
from iamm.table.write.html_origin import configurations, provenance, runs
from iamm.table.write.html_results import costs_table, differences, orders, results
from iamm.table.write.page import Section, block, bullets, details, escaped, page, prose
from iamm.table.write.page import terms as pairs
from iamm.table.write.wording import terms


def html_report(table: Table, output_dir: Path, links: str, *, costs: bool = True) -> str:
    """The whole report: figures, curves, what was written and looked at, and where all of it comes from.

    Args:
        table: to be shown.
        output_dir: where the run folders lie: their records, sentences and pictures are read.
        links: path from the report's folder to `output_dir`, such as `../..`.
        costs: False leaves out time and memory: the text is then the same for any sweep over the same runs.

    Raises:
        BadDataError: records that cannot be read.
    """
    sections = [
        Section("results", "Results", results(table, links)),
        Section("orders", "Claimed orders", orders(table)),
        Section("differences", "Differences to the first row", folded("All differences", differences(table), table)),
        Section(
            "costs",
            "Parameters and costs" if costs else "Parameters",
            folded("All rows", costs_table(table, costs), table),
        ),
        Section("curves", "Curves", curves(table, output_dir)),
        Section("examples", "Written sentences", examples(table, output_dir)),
        Section("pictures", "Attention", pictures(table, output_dir, links)),
        Section("configurations", "Configurations", configurations(table)),
        Section("runs", "Learning rates and runs", folded("All runs", runs(table, links), table)),
        Section("provenance", "Provenance", provenance(table)),
    ]
    return page(table.plan.title, opening(table), sections)


def opening(table: Table) -> str:
    """What the table is about, how it was made, and what a reader must know first."""
    said = pairs((escaped(name), prose(text)) for name, text in terms(table))
    notices = bullets(map(prose, table.notices))
    return f"<p>{prose(table.plan.about)}</p>{said}" + block(
        "notices", f"<p><strong>Notices</strong></p>{notices}" * bool(notices)
    )


def folded(name: str, body: str, table: Table) -> str:
    """A part that is long in a table of many rows, and then closed at first."""
    many = len(table.rows) * len(table.plan.settings) > 12
    return details(name, body) if body and many else body
