from __future__ import annotations

import math
import re
import subprocess
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamm.output import printable
from iamm.table.plan import Claims, Column
from iamm.table.write.latex import escaped, latex

SMALL = r"""% needs \usepackage{booktabs,graphicx}
\begin{table}
\centering
\caption{A small table. Mean $\pm$ deviation over seeds ($n = 3$). Compared with ours by a paired t test with Holm's correction; bold: best mean, separated by it. $^{\circ}$: tie with ours.}
\label{tab:small}
\setlength{\abovetopsep}{1ex}
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
\begin{tabular}{lrr}
\toprule
 & accuracy & BLEU \\
\midrule
ours & $\mathbf{60.00} \pm 10.00$ & $31.00 \pm 1.73$ \\
rival & $48.33 \pm 7.64$ & $31.00 \pm 1.73^{\circ}$ \\
\bottomrule
\end{tabular}}
\end{table}

\begin{table}
\centering
\caption{A small table: claimed figures and costs. Claimed figures: D0 (docs/documents.md) §5.}
\label{tab:small-costs}
\setlength{\abovetopsep}{1ex}
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
\begin{tabular}{lrrrrrr}
\toprule
 & accuracy, claimed & BLEU, claimed & parameters & learning rate & seconds & MiB \\
\midrule
ours & 88.7 & 30.2 & 1,000 & 0.001 & 12.5 & 300 \\
rival & 85.3 & -- & 1,000 & 0.002 & 12.5 & 300 \\
\bottomrule
\end{tabular}}
\end{table}
"""  # noqa: E501
"""The same figures as in Markdown; BLEU ties, so that nothing is bold there."""

ONE = (Column("accuracy", "accuracy", "a", "both"),)


def balanced(text: str) -> bool:
    """Braces and environments open and close in order; a brace that is printed is none."""
    open_ones: list[str] = []
    for environment, name, brace in re.findall(r"\\(begin|end)\{(\w+)\}|(?<!\\)([{}])", text):
        if environment == "begin" or brace == "{":
            open_ones.append(name)
        elif not open_ones or open_ones.pop() != name:
            return False
    return not open_ones


def lines_of(text: str) -> dict[str, list[str]]:
    """Between the rules of both tables: label → cells."""
    actual: dict[str, list[str]] = {}
    for body in re.findall(r"\\midrule\n(.*?)\\bottomrule", text, flags=re.DOTALL):
        for line in body.splitlines():
            first, *rest = re.split(r" (?<!\\)& ", line.removesuffix(r" \\"))
            actual.setdefault(first, []).extend(rest)
    return actual


def accuracies(**values):
    """Row → accuracy by seed (fewer: missing) → what became of a run."""
    return lambda run: (
        {"a": {"accuracy": actual}} if (actual := dict(enumerate(values[run.row])).get(run.seed)) else None
    )


def test_by_hand(make_table):
    text = latex(make_table())
    assert text == SMALL
    assert balanced(text)


@pytest.mark.skipif(which("pdflatex") is None, reason="no pdflatex here")
def test_it_fits_the_page_of_an_article(make_table, tmp_path):
    """Also with six columns, and with signs that LaTeX would read as its own."""
    columns = tuple(Column(f"{sign} of a scene", "accuracy", "a", "both") for sign in "_%&$^~")
    page = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}%s\end{document}"
    (tmp_path / "page.tex").write_text(page % latex(make_table(columns=columns)))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "Output written on page.pdf (1 page" in done.stdout
    assert "Overfull" not in done.stdout


def test_a_measure_that_is_not_finite_is_a_dash(make_table):
    actual = accuracies(ours=(0.5, 0.6, 0.7), rival=(math.nan, 0.4, 0.3))
    text = latex(make_table(actual, rows=("ours", "rival"), columns=ONE, claims=None))
    assert lines_of(text)["rival"][0] == "--"
    assert "nan" not in text


def test_without_costs(make_table):
    text = latex(make_table(result=lambda run: {"seconds": 99.0}), costs=False)
    without = SMALL.replace(" & seconds & MiB", "").replace(" & 12.5 & 300", "")
    assert text == without.replace("{lrrrrrr}", "{lrrrr}")


@pytest.mark.parametrize(
    ("rows", "bold"),
    [
        ({"ours": (0.5, 0.6, 0.7), "x": (0.4, 0.51, 0.6), "y": (0.3, 0.41, 0.5)}, "ours"),
        ({"ours": (0.5, 0.6, 0.7), "x": (0.6, 0.71, 0.8), "y": (0.7, 0.81, 0.9)}, "y"),
        ({"ours": (0.5, 0.6, 0.7), "x": (0.4, 0.51, 0.6), "y": (0.8, 0.59, 0.6)}, None),  # the best one ties
        ({"ours": (0.5, 0.6, 0.7), "x": (0.4, 0.51, 0.6), "y": (0.4, 0.70, 0.6)}, None),  # one of the others ties
        ({"ours": (0.5, 0.6, 0.7), "x": (0.4, 0.51, 0.6), "y": ()}, None),  # one of the others is not known yet
    ],
)
def test_bold_is_only_what_is_separated(make_table, rows, bold):
    text = latex(make_table(accuracies(**rows), rows=tuple(rows), columns=ONE, rates=(0.5,), claims=None))
    assert [row for row, cells in lines_of(text).items() if "mathbf" in cells[0]] == ([bold] if bold else [])


def test_lower_losses_are_better(make_table):
    """A claimed figure stands as in the document; losses have four decimals."""

    def outcome(run):
        return {"a": {"loss": {"ours": (1.5, 1.6, 1.8), "rival": (1.0, 1.1, 1.2)}[run.row][run.seed]}}

    columns, claims = (Column("loss", "loss", "a", "both"),), Claims("a book", {"rival": {"loss": 0.25}})
    cells = lines_of(latex(make_table(outcome, columns=columns, claims=claims)))
    assert cells["ours"][:2] == [r"$1.6333 \pm 0.1528$", "--"]
    assert cells["rival"][:2] == [r"$\mathbf{1.1000} \pm 0.1000$", "0.25"]


def test_lacking_seeds_are_counted(make_table):
    """Ours has two seeds; of the rival one run is failed, two are missing; the third row has no such scene."""

    def outcome(run):
        if run.row == "blind":
            return {"b": {"bleu": 0.25}}
        actual = {"a": {"accuracy": 0.5 + 0.1 * run.seed}} if run.seed < 2 else None
        return actual if run.row == "ours" else "diverged" if run.seed == 0 else None

    rows = ("ours", "rival", "blind")
    cells = lines_of(latex(make_table(outcome, rows=rows, columns=ONE, rates=(0.5,), claims=None)))
    assert cells["ours"][:2] == [r"$55.00 \pm 7.07$ (2 of 3: 1 missing)", "1,000"]
    assert cells["rival"] == ["2 missing, 1 failed", "--", "--", "--"]
    assert cells["blind"][0] == "--"


def test_one_seed_has_a_mean_only(make_table):
    text = latex(make_table(seeds=(0,)))
    assert lines_of(text)["rival"][0] == "$40.00^{?}$"
    assert "$^{?}$: too few seeds to be tested." in text
    assert "mathbf" not in text


def test_several_settings_and_unequal_parameters(make_table):
    def result(run):
        return {"parameters": 1111 if run.row == "rival" and run.setting == "b_c" else 1000}

    table = make_table(result=result, settings=("both", "b_c"))
    text = latex(table)
    heads = [
        f"{head}, {place}" for place in ("both", r"b\_c") for head in ("parameters", "learning rate", "seconds", "MiB")
    ]
    assert f" & {' & '.join(heads)} \\\\\n" in text
    assert lines_of(text)["rival"][4:] == [
        "1,000",
        "0.002",
        "12.5",
        "300",
        r"1,111$^{\dagger}$",
        "0.002",
        "12.5",
        "300",
    ]
    assert r"$^{\dagger}$: differs by more than 10\,\% from the first row's parameters." in text


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("a_b%c&d#e$f", r"a\_b\%c\&d\#e\$f"),
        ("{x}", r"\{x\}"),
        ("~ ^", r"\textasciitilde{} \textasciicircum{}"),
        (r"\_", r"\textbackslash{}\_"),
        ("a < b > c | d", r"a \textless{} b \textgreater{} c \textbar{} d"),
        ("[1pt] *", "{[}1pt] {*}"),  # after a line's end these would be its length and its star
        ("two\nlines", "two lines"),
        ("–", "--"),
    ],
)
def test_escape(label, text):
    assert escaped(label) == text


@given(st.text(st.characters(exclude_characters="-–"), max_size=20))
def test_whatever_is_escaped_is_balanced_and_reads_back(text):
    actual = escaped(text)
    assert balanced(actual)
    names = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^"}
    names |= {r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", "{[}": "[", "{*}": "*"}
    pattern = "|".join(map(re.escape, names))
    back = re.sub(rf"{pattern}|\\(.)", lambda match: match[1] or names[match[0]], actual)
    assert back == printable(" ".join(text.split()))


def test_labels_and_titles_are_escaped_everywhere(make_table, make_plan):
    label, title, name = "50% {a}_b", r"Costs & $\alpha$ #1.", "own table_2"
    planned = make_plan(rows=("ours", label)).runs
    columns = (Column(label, "accuracy", "a", "both"),)
    claims = Claims("p. 5 & 6", {label: {label: 1.0}})
    changes = {"title": title, "name": name, "columns": columns, "claims": claims, "runs": planned}
    text = latex(make_table(lambda run: {"a": {"accuracy": 0.5}}, rows=("ours", label), **changes))
    assert balanced(text)
    assert r"\caption{Costs \& \$\textbackslash{}alpha\$ \#1. Mean" in text
    assert r"\label{tab:own-table_2}" in text
    assert text.count(r"50\% \{a\}\_b") == 4  # the column, its claims, the row of both tables
    assert r"p. 5 \& 6." in text
    assert text.count(" & ") == 3 * (1 + 5)  # two and six columns, three lines each
