from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from iamm.errors import BadDataError
from iamm.record.checksummed import checked, write_checksummed, write_json
from iamm.table.aggregate import build_table
from iamm.table.plan import Claims, Column
from iamm.table.selection import read_needed
from iamm.table.write import html_examples
from iamm.table.write.html import html_report, templates

VOID = {"meta", "br", "img", "hr", "input", "link"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(90))


class Page(HTMLParser):
    """What a browser would see: elements, text by section, rows of tables; unbalanced tags are an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.sections, self.rows, self.section = [], [], {}, {}, ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        element = dict(attributes)
        assert len(element) == len(attributes)
        self.elements.append((tag, element))
        if tag == "section":
            self.section = element["id"]
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "section":
            self.section = ""

    def handle_data(self, data):
        self.sections[self.section] = self.sections.get(self.section, "") + data
        if "td" in self.open or "th" in self.open:
            self.rows[self.section][-1][-1] += data

    def all(self, tag, **wanted):
        return [element for name, element in self.elements if name == tag and wanted.items() <= element.items()]


@pytest.fixture
def report(make_table, tmp_path):
    """What `make_table` takes → the page."""

    def make(*outcome, costs=True, **changes):
        return Page(html_report(make_table(*outcome, **changes), tmp_path, "../..", costs=costs))

    return make


def test_results(report):
    """Ours: 50, 60, 70; rival, at its better rate: 40, 50, 55. Differences −10, −10, −15: t = −7, p = 0.0198."""
    page = report()
    assert page.rows["results"] == [
        ["row", "accuracy", "BLEU"],
        [
            "ours",
            "60.00 ± 10.0035.16 to 84.84; claimed 88.7n = 3; seed 0, 1, 2",
            "31.00 ± 1.7326.70 to 35.30; claimed 30.2n = 3; seed 0, 1, 2",
        ],
        [
            "rival",
            "48.33 ± 7.64 ▼ worse29.36 to 67.31; claimed 85.3n = 3; seed 0, 1, 2",
            "31.00 ± 1.73 = tie26.70 to 35.30n = 3; seed 0, 1, 2",
        ],
    ]
    assert page.rows["differences"][1:] == [
        ["rival", "accuracy", "-11.67", "-18.84 to -4.50", "3", "0.0198", "0.0396", "▼ worse"],
        ["rival", "BLEU", "+0.00", "-7.45 to +7.45", "3", "1.00", "1.00", "= tie"],
    ]
    assert page.rows["costs"][1:] == [
        ["ours", "1,000", "0.001", "12.5", "300"],
        ["rival", "1,000", "0.002", "12.5", "300"],
    ]
    assert page.rows["orders"][1:] == [["accuracy", "ours › rival", "ours › rival", "yes"]]
    assert "epochs 3; seeds 0, 1, 2; learning rates 0.001, 0.002." in page.sections[""]


def test_drawn_results(report):
    """On one axis from 4 to 126: the widest are 88.7 (claimed) and 29.36, with 4 % of room on both sides."""
    low, high = 145 / 3 - 18.9737, 88.7
    room = 0.04 * (high - low)

    def place(value):
        return f"{4 + 122 * (value - low + room) / (high - low + 2 * room):.1f}".removesuffix(".0")

    points = [element["cx"] for element in report().all("circle", **{"class": "point"})]
    assert points[:1] + points[2:3] == [place(60), place(145 / 3)]


def test_every_cell_links_to_its_runs(report):
    links = [element["href"] for element in report().all("a") if not element["href"].startswith("#")]
    folders = [f"../../ours-both-0.001-seed{seed}" for seed in range(3)]
    assert links[:6] == folders * 2
    assert len(links) == 12 + 12  # in the cells those of the chosen rates, and once all of them


def test_missing_and_failed_are_shown(report):
    def outcome(run):
        if run.row == "rival" and run.seed:
            return "A loss must be finite. Found <nan>." if run.seed == 1 else None
        return {"a": {"accuracy": 0.5 + 0.1 * run.seed}, "b": {"bleu": 0.5}} if run.row != "none" else None

    page = report(outcome, rows=("ours", "rival", "none"))
    rival, none = page.rows["results"][2:]
    assert rival[1] == "50.00 ? untestedclaimed 85.3n = 1 of 3: 1 missing, 1 failed; seed 0, 1 failed"
    assert none[1:] == ["missing", "missing"]
    assert ["rival", "0.001", "50.00", "✓", "0, 1 failed, 2 missing"] in page.rows["runs"]
    assert "18 runs: 2 failed, 8 finished, 8 missing." in page.sections["runs"]
    assert "rival-both-0.001-seed1: A loss must be finite. Found <nan>." in page.sections["runs"]
    assert page.sections[""].count("Failed:") == 2
    assert page.rows["costs"][3] == ["none", "–", "–", "–", "–"]


def test_a_table_without_any_run(report):
    page = report(lambda run: None)
    assert [row[1:] for row in page.rows["results"][1:]] == [
        ["missingclaimed 88.7", "missingclaimed 30.2"],
        ["missingclaimed 85.3", "missing"],
    ]
    assert set(page.sections) == {"", "results", "orders", "costs", "runs", "provenance"}


def test_a_row_without_the_scene(report):
    page = report(
        lambda run: {"a": {"accuracy": 0.5}} if run.row == "rival" else {"a": {"accuracy": 0.5}, "b": {"bleu": 0.25}}
    )
    assert page.rows["results"][2][2] == "–"


def test_curves_of_all_seeds(report):
    """Accuracy goes up by a third of its end at steps 10, 20 and 30: means of 20, 40, 60 for ours.

    The axes: steps 0 to 30 on 46 to 430; values from 40 / 3 to 70, with 4 % of room, on 234 up to 8.
    """
    page = report()
    room = 0.04 * (70 - 40 / 3)

    def place(step, value):
        y = 234 - 226 * (value - 40 / 3 + room) / (70 - 40 / 3 + 2 * room)
        return " ".join(f"{each:.1f}".removesuffix(".0") for each in (46 + 384 * step / 30, y))

    means = [element["d"] for element in page.all("path", **{"class": "mean"})]
    assert means[:2] == ["M1 5H33"] * 2  # the legend
    thirds = [(10, 1 / 3), (20, 2 / 3), (30, 1.0)]
    assert means[3] == "M" + "L".join(place(step, share * 60) for step, share in thirds)  # the first row lies on top
    assert means[2] == "M" + "L".join(place(step, share * 145 / 3) for step, share in thirds)
    band = [element["d"] for element in page.all("path", **{"class": "band"})][1]
    corners = [
        *((step, share * 50) for step, share in thirds),
        *((step, share * 70) for step, share in reversed(thirds)),
    ]
    assert band == "M" + "L".join(place(*corner) for corner in corners) + "Z"
    assert len(page.all("path", **{"class": "seed"})) == 2 * 2 * 3


def test_curves_of_runs_that_are_not_finished(make_table, tmp_path):
    table = make_table(lambda run: None if run.row == "rival" else {"a": {"accuracy": 0.5}, "b": {"bleu": 0.5}})
    folder = tmp_path / "rival-both-0.002-seed1"
    folder.mkdir()
    (folder / "records.jsonl").write_text(
        '{"kind": "val", "step": 10, "values": {"val/accuracy/a": 0.25}}\n{"kind": "val", "step": 20, "val'
    )
    page = Page(html_report(table, tmp_path, ".."))
    assert len(page.all("path", **{"class": "seed unfinished"})) == 1
    assert "rival, seed 1, learning rate 0.002" in page.sections["curves"]


def test_broken_records_are_reported(make_table, tmp_path):
    table = make_table()
    (tmp_path / "ours-both-0.001-seed0" / "records.jsonl").write_text('{"kind": "val", "step": ten}\n')
    with pytest.raises(BadDataError, match="Records must be as they were written"):
        html_report(table, tmp_path, "..")


def test_quality_has_the_curve_of_its_measure(report):
    columns = (
        Column("pictures", "quality", "a", "both"),
        Column("gain", "quality", "a", "both", minus="rival"),
        Column("mean", "quality", None, "both"),
        Column("nothing", "recall", "a", "both"),
    )
    page = report(columns=columns, claims=None)
    drawings = [element["aria-label"] for element in page.all("svg", **{"class": "curves"})]
    assert drawings == ["pictures, gain: curves of ours, rival", "mean: curves of ours, rival"]
    assert "accuracy × 100" in page.sections["curves"]


def test_quality_of_a_measure_that_is_better_when_low_has_its_curve(make_table, tmp_path):
    """Losses of 3, 6 and 9 are qualities of 1 / 4, 1 / 7 and 1 / 10; the axis holds 10 to 25 with 4 % of room."""
    table = make_table(
        lambda run: {"a": {"accuracy": 0.5, "loss": 9.0}},
        lambda run: {"quality": {"a": 0.1}, "validation_quality": 0.1},
        columns=(Column("quality", "quality", "a", "both"),),
        claims=None,
    )
    page = Page(html_report(table, tmp_path, ".."))
    values = [100 / 4, 100 / 7, 100 / 10]
    heights = [f"{234 - 226 * (value - 10 + 0.6) / 16.2:.1f}".removesuffix(".0") for value in values]
    mean = page.all("path", **{"class": "mean"})[-1]["d"]
    assert [point.split()[1] for point in mean.removeprefix("M").split("L")] == heights
    assert "quality by loss × 100" in page.sections["curves"]


def test_many_rows_have_a_drawing_each(report):
    rows = tuple(f"row {number}" for number in range(9))
    page = report(lambda run: {"a": {"accuracy": 0.5}, "b": {"bleu": 0.5}}, rows=rows, claims=None)
    drawings = [element["aria-label"] for element in page.all("svg", **{"class": "curves"})]
    assert drawings == [f"{column}: {row}" for column in ("accuracy", "BLEU") for row in rows]
    means = [element["class"] for name, element in page.elements if name == "g" and element["class"].startswith("line")]
    assert set(means) == {"line0", "line1"}
    assert [len(page.all("details", open=None))] == [1]  # of the two columns the first one
    assert page.sections["curves"].count("row 0, mean") == 2 * 2 * 9


def test_sentences_stand_beside_their_reference(make_table, tmp_path):
    table = make_table()
    for run, sentence in (
        ("ours-both-0.001-seed0", "a <red> cross"),
        ("rival-both-0.002-seed0", "two"),
        ("ours-both-0.001-seed2", "no"),
    ):
        write_json(tmp_path / run / "examples.json", {"b": [[sentence, "a <red> cross"], ["", "three"]]})
    page = Page(html_report(table, tmp_path, ".."))
    assert page.rows["examples"] == [
        ["row", "written", ""],
        ["ours", "a <red> cross", "✓ as the reference"],
        ["rival", "two", ""],
        ["row", "written", ""],
        ["ours", "nothing", ""],
        ["rival", "nothing", ""],
    ]
    text = page.sections["examples"]
    assert text.index("a <red> cross") < text.index("three")


def test_pictures_are_inside(make_table, tmp_path):
    table = make_table()
    for seed in (0, 2):
        folder = tmp_path / f"ours-both-0.001-seed{seed}" / "pictures"
        folder.mkdir()
        for number in (10, 2):
            (folder / f"words-{number}.png").write_bytes(PNG + bytes([seed, number]))
    page = Page(html_report(table, tmp_path, ".."))
    images = page.all("img")
    assert [image["alt"] for image in images] == ["ours: words-2", "ours: words-10"]
    assert base64.b64decode(images[0]["src"].partition(",")[2]) == PNG + bytes([0, 2])


def test_what_pictures_link_to_is_not_shown(make_table, tmp_path):
    """Runs may be anybody's: a picture, or the folder of all, that links to a private file."""
    table = make_table()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.png").write_bytes(PNG + b"private")
    one, other = (tmp_path / f"{name}-seed0" / "pictures" for name in ("ours-both-0.001", "rival-both-0.002"))
    one.mkdir()
    (one / "b.png").symlink_to(tmp_path / "private" / "a.png")
    other.symlink_to(tmp_path / "private")
    assert Page(html_report(table, tmp_path, "..")).all("img") == []


def test_sentences_that_are_cut_are_left_out(make_table, tmp_path):
    table = make_table()
    (tmp_path / "ours-both-0.001-seed0" / "examples.json").write_text('{"a": [["cut')
    assert "examples" not in Page(html_report(table, tmp_path, "..")).sections


def test_pictures_that_are_too_large_are_linked(make_table, tmp_path, monkeypatch):
    """Each picture of 100 bytes takes 136; two rows have half of the room each."""
    table = make_table()
    for run in ("ours-both-0.001-seed0", "rival-both-0.002-seed0"):
        folder = tmp_path / run / "pictures"
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.png").write_bytes(PNG + bytes([0, number]))
    monkeypatch.setattr(html_examples, "MOST", 2 * 2 * 136)
    page = Page(html_report(table, tmp_path, ".."))
    assert [image["alt"] for image in page.all("img")] == ["ours: 0", "ours: 1", "rival: 0", "rival: 1"]
    left_out = [element["href"] for element in page.all("a") if element["href"].endswith(".png")]
    assert left_out == ["../ours-both-0.001-seed0/pictures/2.png", "../rival-both-0.002-seed0/pictures/2.png"]
    assert page.sections["pictures"].count("Left out for their size: 2") == 2


def test_configurations(report):
    """The rival's rate was chosen otherwise; seeds are no difference, and places are not shown."""

    def result(run):
        config = {
            "seed": run.seed,
            "optimizer": {"lr": run.rate, "betas": [0.9, 0.99]},
            "data_dir": "/somewhere",
        }
        if run.row == "rival":
            config["weighting"] = {"_target_": "x.Y"}
        return {"config": {**config, "patience": None}}

    page = report(result=result)
    assert page.rows["configurations"] == [
        ["key", "here", "first row"],
        ["model", "rival", "ours"],
        ["optimizer.lr", "0.002", "0.001"],
        ["weighting._target_", "x.Y", "not there"],
    ]
    text = page.sections["configurations"]
    assert "seed: 0\noptimizer.lr: 0.001\noptimizer.betas: [0.9, 0.99]\npatience: null" in text
    assert "somewhere" not in text


def test_provenance(report):
    def result(run):
        return {"commit": None} if run.seed == 2 else {"threads": 1 + run.seed}

    page = report(result=result)
    text = page.sections["provenance"]
    assert "iamm-table table=small run=false" in text
    assert "commit0123456789abcdef (8 runs), unknown (4 runs)" in text
    assert "threads1 (8 runs), 2 (4 runs)" in text
    assert "torch2.13.0" in text
    assert page.rows["provenance"][1:] == [["small", str(seed), f"sum of seed {seed}"] for seed in range(3)]


NASTY = "<script>alert('1')</script>&\"x`y`$ü"


def test_everything_is_escaped(make_table, tmp_path):
    """Whatever stands in labels, names, sentences and configurations is shown, and is no markup."""
    table = make_table(
        lambda run: NASTY if run.seed == 1 else {NASTY: {"accuracy": 0.5, "bleu": 0.25}},
        lambda run: {
            "config": {NASTY: {NASTY: NASTY}, "patience": None, "dataset": {}},
            "choices": {NASTY: run.row},
            "data": {NASTY: NASTY},
            "versions": {NASTY: NASTY},
            "commit": NASTY,
            "device": NASTY,
            "notices": [NASTY],
            "bleu_signature": NASTY,
        },
        rows=(NASTY, f"{NASTY} 2"),
        name=NASTY,
        title=NASTY,
        about=NASTY,
        budget={NASTY: NASTY},
        columns=(
            Column(NASTY, "accuracy", NASTY, NASTY),
            Column(f"{NASTY} 2", "bleu", NASTY, NASTY, minus=f"{NASTY} 2"),
        ),
        settings=(NASTY,),
        claims=Claims(NASTY, {NASTY: {NASTY: 50.0}, f"{NASTY} 2": {NASTY: 40.0}}),
        runs=(),
    )
    assert table.runs == ()
    page = Page(html_report(table, tmp_path, NASTY))
    assert page.all("script") == []
    assert NASTY in page.sections["results"]


def test_everything_of_runs_is_escaped(make_table, tmp_path):
    """As above, of what runs left behind; folders cannot hold a slash."""
    nasty = NASTY.replace("/", "")

    def outcome(run):
        return nasty if run.seed == 1 else {nasty: {"accuracy": 0.5}}

    table = make_table(
        outcome,
        lambda run: {
            "config": {nasty: {nasty: nasty + run.row}, "patience": None, "dataset": {}},
            "choices": {nasty: nasty + run.row},
            **{name: {nasty: nasty} for name in ("data", "versions")},
            **dict.fromkeys(("commit", "device", "bleu_signature"), nasty),
            "notices": [nasty],
        },
        rows=(nasty, f"{nasty} 2"),
        columns=(Column("accuracy", "accuracy", nasty, "both"),),
        claims=None,
    )
    folder = tmp_path / f"{nasty}-both-0.001-seed0"
    write_json(folder / "examples.json", {nasty: [[nasty, nasty + "?"]]})
    (folder / "pictures").mkdir()
    (folder / "pictures" / f"{nasty}.png").write_bytes(PNG)
    page = Page(html_report(table, tmp_path, "../.."))
    assert page.all("script") == []
    assert set(page.sections) == {
        *(
            "",
            "results",
            "differences",
            "costs",
            "curves",
            "examples",
            "pictures",
            "configurations",
            "runs",
            "provenance",
        )
    }
    for name in set(page.sections) - {""}:
        assert nasty in page.sections[name], name
    assert page.all("img")[0]["alt"] == f"{nasty}: {nasty}"


def test_nothing_is_fetched_and_nothing_is_run(make_table, tmp_path):
    table = make_table()
    folder = tmp_path / "ours-both-0.001-seed0" / "pictures"
    folder.mkdir()
    (folder / "0.png").write_bytes(PNG)
    text = html_report(table, tmp_path, "../..")
    page = Page(text)
    names = {name for name, _ in page.elements}
    assert names.isdisjoint(
        {"script", "link", "iframe", "object", "embed", "base", "form", "use", "image", "foreignobject"}
    )
    attributes = [(key, value) for _, element in page.elements for key, value in element.items()]
    assert not any(key.startswith("on") or key in ("style", "srcset", "action", "xlink:href") for key, _ in attributes)
    assert {value[:22] for key, value in attributes if key == "src"} == {"data:image/png;base64,"}
    assert {value[:6] for key, value in attributes if key == "href" and value[0] != "#"} == {"../../"}
    assert not re.search(r"https?:|url\(|@import|@font-face", text)
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'")


def test_the_contents_lead_to_every_section(report):
    page = report()
    anchors = [element["href"][1:] for element in page.all("a") if element["href"].startswith("#")]
    assert anchors == [element["id"] for element in page.all("section")] == list(page.sections)[1:]
    assert len(page.all("h1")) == 1
    assert all(image["alt"] for image in page.all("img"))
    assert all(element.get("aria-label") or element.get("aria-hidden") for element in page.all("svg"))


def test_the_same_bytes_twice_and_after_runs_of_another_speed(make_table, tmp_path):
    table = make_table()
    assert html_report(table, tmp_path, "..") == html_report(table, tmp_path, "..")
    first = html_report(table, tmp_path, "..", costs=False)
    for path in tmp_path.glob("*/result.json"):
        result = checked(path.read_bytes())
        assert (result["seconds"], result["peak_memory_mib"]) == (12.5, 300.0)
        write_checksummed(path, {**result, "seconds": 99.5, "peak_memory_mib": 400.0})
    again = build_table(table.plan, read_needed(table.plan, tmp_path))
    assert html_report(again, tmp_path, "..", costs=False) == first
    assert html_report(again, tmp_path, "..") != html_report(table, tmp_path, "..")
    assert "12.5" not in first


def test_several_settings_are_named(report):
    columns = (Column("one", "accuracy", "a", "x"), Column("two", "accuracy", "a", "y"))
    page = report(lambda run: {"a": {"accuracy": 0.5}}, settings=("x", "y"), columns=columns, claims=None)
    assert [row[0] for row in page.rows["costs"][1:]] == ["ours, x", "ours, y", "rival, x", "rival, y"]
    assert page.rows["runs"][0][:3] == ["row", "setting", "learning rate"]
    assert [element["aria-label"][:3] for element in page.all("svg", **{"class": "curves"})] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "markup"),
    [("a `b<c` d", "a <code>b&lt;c</code> d"), (" one ` only ", "one ` only"), ('"&"', "&#34;&amp;&#34;")],
)
def test_prose(text, markup):
    assert templates().get_template("parts.html.j2").module.prose(text) == markup


def test_no_template_turns_escaping_off():
    loader = templates().loader
    texts = {name: loader.get_source(templates(), name)[0] for name in loader.list_templates()}
    assert "report.html.j2" in texts
    assert [name for name, text in texts.items() if re.search(r"\|\s*safe\b|autoescape", text)] == []


def test_a_name_that_a_template_does_not_have_is_an_error():
    with pytest.raises(UndefinedError, match="'costs' is undefined"):
        templates().get_template("costs.html.j2").render()
