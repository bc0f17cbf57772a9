from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from iamm.output import printable
from iamm.table.plan import Claims, Column
from iamm.table.table import Cost, Run
from iamm.table.write.markdown import escaped, grid, markdown

SMALL = """\
# A small table

Pictures and sentences, made up.

- Shared by all rows: epochs 3; seeds 0, 1, 2; learning rates 0.001, 0.002.
- Learning rate: chosen for each row and setting on validation alone (most finished seeds, then the best mean quality), over seeds 0, 1, 2. Of two rates each is an edge: a better one may lie beyond it.
- Columns: accuracy: accuracy of a (percent points); BLEU: bleu of b (percent points).
- Cells: mean ± deviation (n − 1) [95 % interval of the mean by Student's t, shares within 0 to 100] over n seeds.
- Verdicts: against ours, paired t test over the same seeds and data; p after Holm's correction for all comparisons of the table; tie where p ≥ 0.05 or where mean and median of the differences disagree in sign.
- Claimed figures: D0 (docs/documents.md) §5; not measured here.

| row   |                         accuracy | vs first | claimed: accuracy |                            BLEU | vs first | claimed: BLEU |
| ----- | -------------------------------: | -------- | ----------------: | ------------------------------: | -------- | ------------: |
| ours  | 60.00 ± 10.00 [35.16, 84.84] n=3 |          |              88.7 | 31.00 ± 1.73 [26.70, 35.30] n=3 |          |          30.2 |
| rival |  48.33 ± 7.64 [29.36, 67.31] n=3 | worse    |              85.3 | 31.00 ± 1.73 [26.70, 35.30] n=3 | tie      |             – |

## Parameters and costs

| row   | parameters | learning rate | seconds | MiB |
| ----- | ---------: | ------------: | ------: | --: |
| ours  |      1,000 |         0.001 |    12.5 | 300 |
| rival |      1,000 |         0.002 |    12.5 | 300 |

Tolerance: 10 % of the first row's parameters; † lies outside.

## Differences to the first row

| column   | row   | difference |   95 % interval |   n |      p | p (Holm) | verdict |
| -------- | ----- | ---------: | --------------: | --: | -----: | -------: | ------- |
| accuracy | rival |     -11.67 | [-18.84, -4.50] |   3 | 0.0198 |   0.0396 | worse   |
| BLEU     | rival |      +0.00 |  [-7.45, +7.45] |   3 |   1.00 |     1.00 | tie     |

## Claimed orders

| column   | claimed      | ours         | held |
| -------- | ------------ | ------------ | ---- |
| accuracy | ours > rival | ours > rival | yes  |

## Runs

- ours, both, learning rate 0.001 (chosen; validation 45.50): seeds [0](../../ours-both-0.001-seed0), [1](../../ours-both-0.001-seed1), [2](../../ours-both-0.001-seed2)
- ours, both, learning rate 0.002 (validation 10.00): seeds [0](../../ours-both-0.002-seed0), [1](../../ours-both-0.002-seed1), [2](../../ours-both-0.002-seed2)
- rival, both, learning rate 0.001 (validation 5.00): seeds [0](../../rival-both-0.001-seed0), [1](../../rival-both-0.001-seed1), [2](../../rival-both-0.001-seed2)
- rival, both, learning rate 0.002 (chosen; validation 39.67): seeds [0](../../rival-both-0.002-seed0), [1](../../rival-both-0.002-seed1), [2](../../rival-both-0.002-seed2)
"""  # noqa: E501
"""Accuracy of the rival is 10, 10 and 15 points lower: d = −35/3, s = 5/√3, t = −7, p = 1 − 7/√51 = 0.0198, twice that
after Holm; the interval is d ± 4.3027 · 5/3. BLEU differs by 0, 3 and −3."""


def cells_of(text: str, heading: str = "") -> dict[str, list[str]]:
    """Of the first table after the heading: first cell → the others."""
    lines = re.findall(r"^\| (.*) \|$", text[text.index(heading) :].split("\n\n## ")[0], flags=re.MULTILINE)
    expected = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return {first: rest for first, *rest in expected}


def test_by_hand(make_table):
    assert markdown(make_table(), "../..") == SMALL


def test_without_costs_there_is_no_time_and_memory(make_table):
    """And a slower sweep of the same runs gives the same bytes."""
    text = markdown(make_table(result=lambda run: {"seconds": 99.0 + run.seed}), "../..", costs=False)
    assert text == re.sub(r" \| seconds \| MiB| \| ------: \| --:| \|    12.5 \| 300| and costs", "", SMALL)
    assert not re.search("second|MiB|memory|cost", text)


def test_lacking_seeds_are_counted_in_the_cell(make_table):
    """Ours: one of three failed, one is missing. The rival failed with every learning rate."""

    def outcome(run):
        if run.row == "rival":
            return "out of memory | at once"
        expected = {"a": {"accuracy": 0.5}, "b": {"bleu": 0.25}}
        return {0: expected, 1: "diverged\nin step 3", 2: None}[run.seed] if run.rate == 0.001 else None

    text = markdown(make_table(outcome), "..")
    cells = cells_of(text)
    assert cells["ours"][0] == "50.00 n=1 of 3: 1 missing, 1 failed"
    assert cells["rival"][:2] == ["failed", ""]
    assert cells_of(text, "## Parameters")["rival"] == ["–", "–", "–", "–"]
    assert cells_of(text, "## Claimed")["accuracy"] == ["ours > rival", "ours", "open"]
    assert "## Differences" not in text
    assert "- ours, both, learning rate 0.001 (chosen; validation 37.50): seeds [0](../ours-both-0.001-seed0), [1](../ours-both-0.001-seed1) failed, 2 missing" in text  # fmt: skip  # noqa: E501


def test_notices_are_a_list_of_lines(make_table):
    table = replace(make_table(), notices=("Failed: rival: a | b", "`heads` must\ndivide *dim*."))
    assert "\n\n## Notices\n\n- Failed: rival: a \\| b\n- `heads` must divide \\*dim\\*.\n\n## Runs" in markdown(
        table, ".."
    )


def test_a_row_without_the_scene(make_table):
    """Has no value there by its nature; that is not a missing one."""

    def outcome(run):
        pictures = {"a": {"accuracy": 0.5 + 0.1 * run.seed}}
        return pictures | ({"b": {"bleu": 0.25}} if run.row == "ours" else {})

    assert cells_of(markdown(make_table(outcome, claims=None), ".."))["rival"][2:] == ["–", ""]


def test_lower_losses_are_better(make_table):
    """−0.5, −0.5, −0.6: mean −8/15, s = 0.0577, t = −16, p = 1 − 16/√258 = 0.00388; the claimed order held."""

    def outcome(run):
        loss = {"ours": (1.0, 1.1, 1.2), "rival": (1.5, 1.6, 1.8)}[run.row][run.seed]
        return {"a": {"loss": loss, "accuracy": 0.5}}

    columns = (Column("loss", "loss", "a", "both"),)
    claims = Claims("a book", {"ours": {"loss": 0.9}, "rival": {"loss": 1.25}})
    text = markdown(make_table(outcome, columns=columns, claims=claims), "..")
    assert cells_of(text)["ours"] == ["1.1000 ± 0.1000 [0.8516, 1.3484] n=3", "", "0.9"]
    assert cells_of(text)["rival"] == ["1.6333 ± 0.1528 [1.2539, 2.0128] n=3", "worse", "1.25"]
    expected = ["rival", "+0.5333", "[+0.3899, +0.6768]", "3", "0.00388", "0.00388", "worse"]
    assert cells_of(text, "## Differences")["loss"] == expected
    assert cells_of(text, "## Claimed")["loss"] == ["ours > rival", "ours > rival", "yes"]
    assert "loss: loss of a (lower is better)" in text


def test_a_column_that_is_not_compared_has_values_without_verdicts(make_table):
    def outcome(run):
        return {"a": {"accuracy": (0.5, 0.6, 0.8)[run.seed] - 0.3 * (run.row == "rival"), "loss": 1.0 + run.seed}}

    columns = (Column("loss", "loss", "a", "both", compared=False), Column("accuracy", "accuracy", "a", "both"))
    text = markdown(make_table(outcome, columns=columns, claims=None), "..")
    assert cells_of(text)["rival"] == [
        "2.0000 ± 1.0000 [-0.4841, 4.4841] n=3",
        "33.33 ± 15.28 [0.00, 71.28] n=3",
        "untested",
    ]
    assert "- Verdicts: against ours, in accuracy, paired t test" in text
    assert "loss" not in cells_of(text, "## Differences")


def test_a_declared_measure_keeps_its_scale_and_direction(make_table):
    """A calibration error of 0.07 is 0.07, and better than 0.12; a likelihood is better the higher it is."""

    def outcome(run):
        error = {"ours": (0.06, 0.07, 0.08), "rival": (0.11, 0.12, 0.135)}[run.row][run.seed]
        return {"a": {"calibration": error, "likelihood": -error, "accuracy": 0.5}}

    declared = {
        "calibration": {"scale": "raw", "lower_is_better": True},
        "likelihood": {"scale": "raw", "lower_is_better": False},
        "accuracy": {"scale": "percent", "lower_is_better": False},
    }
    columns = tuple(Column(name, name, "a", "both") for name in declared)
    claims = Claims("a book", {"ours": {"calibration": 0.05}, "rival": {"calibration": 0.15}})
    table = make_table(outcome, lambda run: {"measures": {"a": declared}}, columns=columns, claims=claims)
    text = markdown(table, "..")
    assert cells_of(text)["ours"][0] == "0.0700 ± 0.0100 [0.0452, 0.0948] n=3"
    assert cells_of(text)["rival"][1] == "worse"
    assert cells_of(text)["rival"][4] == "worse"
    assert cells_of(text, "## Claimed")["calibration"] == ["ours > rival", "ours > rival", "yes"]
    assert "calibration: calibration of a (lower is better)" in text
    assert "likelihood: likelihood of a (higher is better)" in text
    assert "accuracy: accuracy of a (percent points)" in text


def test_without_claims(make_table):
    text = markdown(make_table(claims=None), "..")
    assert "laimed" not in text
    assert len(cells_of(text)["ours"]) == 4


def test_several_settings(make_table):
    """What is gained on the rival is nothing that the rival itself has; parameters are compared in each setting."""
    columns = (
        Column("accuracy", "accuracy", "a", "both"),
        Column("alone", "accuracy", "a", "pictures"),
        Column("gain", "quality", None, "both", "rival"),
    )

    def outcome(run):
        more = (0.099 + 0.001 * run.seed) * (run.row == "ours") + 0.2 * (run.setting == "pictures")
        return {"a": {"accuracy": 0.25 + 0.01 * run.seed + more}}

    table = make_table(
        outcome,
        lambda run: {"parameters": 1111 if run.row == "rival" and run.setting == "pictures" else 1000},
        settings=("both", "pictures"),
        columns=columns,
        rates=(0.5,),
        claims=None,
    )
    text = markdown(table, "..")
    ours, rival = cells_of(text)["ours"], cells_of(text)["rival"]
    assert [cell.split(" ")[0] for cell in ours] == ["36.00", "", "56.00", "", "10.00", ""]
    assert [cell.split(" ")[0] for cell in rival] == ["26.00", "worse", "46.00", "worse", "–", ""]
    used = text[text.index("## Parameters") :].splitlines()[2:8]
    assert used == [
        "| row   | setting  | parameters | seconds | MiB |",
        "| ----- | -------- | ---------: | ------: | --: |",
        "| ours  | both     |      1,000 |    12.5 | 300 |",
        "| ours  | pictures |      1,000 |    12.5 | 300 |",
        "| rival | both     |      1,000 |    12.5 | 300 |",
        "| rival | pictures |    1,111 † |    12.5 | 300 |",
    ]
    assert "seeds 0, 1, 2; learning rate 0.5.\n- Columns" in text  # there was no choice to speak of
    assert "; alone: accuracy of a in pictures (percent points); " in text
    assert "; gain: mean quality of the scenes in both, minus that of rival with the same seed (percent poin" in text
    assert "- rival, pictures, learning rate 0.5 (chosen; validation 46.00): seeds [0](../rival-pictures-0.5-seed0)" in text  # fmt: skip  # noqa: E501


def test_one_seed_has_a_mean_only(make_table):
    text = markdown(make_table(seeds=(0,)), "..")
    assert cells_of(text)["ours"][:2] == ["50.00 n=1", ""]
    assert cells_of(text)["rival"][:2] == ["40.00 n=1", "untested"]
    assert cells_of(text, "## Differences")["accuracy"] == ["rival", "-10.00", "–", "1", "–", "–", "untested"]


HARD = ("a|b", r"c\d", "*e* _f_", "<g>", "h_i `j_k`", "~~l~~", "$m$", r"n\|o")


@pytest.mark.parametrize("label", HARD)
def test_labels_render_as_they_are(label):
    """By another program; only backticks mark code."""
    text = grid(("row", "n"), "<>", [[escaped(label), "1"], ["last", "2"]])
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    cells = re.findall(r"<td.*?>(.*?)</td>", html)
    shown = label.replace("<", "&lt;").replace(">", "&gt;").replace("`j_k`", "<code>j_k</code>")
    assert cells == [shown, "1", "last", "2"]


def test_links_lead_to_the_folders_whatever_their_names(make_plan, make_table):
    planned = make_plan(rows=("a (b)|c d",), seeds=(0,), rates=(0.5,)).runs
    outcome = {"a": {"accuracy": 0.5}, "b": {"bleu": 0.25}}
    table = make_table(lambda run: outcome, rows=("a (b)|c d",), seeds=(0,), rates=(0.5,), runs=planned, claims=None)
    html = MarkdownIt("commonmark").enable("table").render(markdown(table, "../.."))
    assert re.findall('href="(.*?)"', html) == ["../../a%20%28b%29%7Cc%20d-both-0.5-seed0"]
    assert "<td>a (b)|c d</td>" in html


@pytest.mark.parametrize(
    "text", ["[a](https://b)", "![a](https://b/c.png)", "[a][b]", "[b]: https://c", "<img src=x>", "a `b", "\x1b[31m"]
)
def test_no_label_is_a_link_or_a_picture(text):
    """For a parser of Markdown it is the text itself."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(f"- {escaped(text)}\n- {escaped('[b]: https://c')}\n")
    kinds = {part.type for token in tokens for part in token.children or ()}
    assert kinds <= {"text", "code_inline", "text_special"}
    assert tokens[3].type == "inline"
    assert "".join(part.content for part in tokens[3].children) == printable(text)


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "text"),
    [(0, False, "nothing"), (10, False, "labels"), (0, True, "inputs without labels")],
)
def test_what_a_migration_reads_of_its_target(make_plan, labelled, unlabelled, text):
    planned = make_plan().runs[0]
    results = {"migration": {"labelled": labelled, "unlabelled": unlabelled}}, {}
    moved, plain = (
        Cost(None, {}, None, None, None, None, (Run(planned, "finished", "", result),)).reads for result in results
    )
    assert (moved, plain) == (text, "")
