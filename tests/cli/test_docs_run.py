"""Every command of README and docs is run in a short form: first values of a sweep, a step of training, few rows."""

from __future__ import annotations

import importlib
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from PIL import Image

from iamm.config.compose import resolve, tree_composer
from iamm.config.sources import Sources
from tests.cli.conftest import in_process
from tests.cli.test_docs import COMMANDS, ROOT, fences
from tests.composing import few

SMALL = {"dim": "8", "head.generation.max_length": "3", "log.interest": "false"}
SHORT = {"epochs": "1", "steps": "1", "threads": "1", "device": "cpu", "log.pictures": "1", **SMALL}
WITHOUT_FILES, WITHOUT_PACKAGE = 66, 69
ELSEWHERE = {
    r"iamm-data \w": "downloads files: test_data.py does so from a server of its own",
    r"launcher.ray.init.address": "needs a cluster of Ray",
    r"\$\(": "is run by a shell in test_docs.py",
}
LINES = list(dict.fromkeys(re.sub(r"\s+#.*", "", line) for _, line in COMMANDS))


def first_values(word: str) -> str:
    """The word with the first of the values that it sweeps over, and one choice in the place of all."""
    key, equals, value = word.partition("=")
    if "glob(" in value:
        return f"{key}={'additive' if key == 'attention' else value}"
    if value.startswith("simplex("):
        return f"{key}=simplex(2,2)"
    return word if value[:1] in ("[", "{") or "(" in value else key + equals + value.split(",")[0]


def by_a_launcher_at_hand(words: list[str]) -> list[str]:
    """The words with submitit's launcher for this machine in the place of SLURM's."""
    if "hydra/launcher=submitit_slurm" not in words:
        return words
    local = [word.replace("submitit_slurm", "submitit_local") for word in words]
    return [word for word in local if not word.startswith("hydra.launcher.")]


def short_run(words: list[str]) -> list[str]:
    """The words of `iamm-train`, shortened."""
    words = [first_values(word) for word in words if word.split("=")[0] not in SHORT]
    words = [re.sub(r"n_trials=\d+", "n_trials=2", word) for word in words]
    if any(word.startswith("mode=") for word in words):
        return words
    values = values_of_run(words)
    steps = ["transfer.steps=2"] if values["target"] and "steps" in values["transfer"] else []
    return [*words, *few(values["dataset"]), *steps, *narrow(words, values), *(f"{k}={v}" for k, v in SHORT.items())]


def narrow(words: list[str], values: dict[str, Any]) -> list[str]:
    """Few channels for cifar10, whose test split is measured whole."""
    if "cifar10" not in values["dataset"] or any(
        word.startswith(("encoder.image.channels", "from=")) for word in words
    ):
        return []
    return [f"encoder.image.channels={[8] * len(values['encoder']['image']['channels'])}"]


def values_of_run(words: list[str]) -> dict[str, Any]:
    """The configuration of the words' first run; null in the place of what a search or a grid gives."""
    folder = words[words.index("--config-dir") + 1] if "--config-dir" in words else None
    overrides = [re.sub(r"=(tag|interval|simplex)\(.*", "=null", word) for word in words if "=" in word]
    return resolve(tree_composer(Sources(folder))([word for word in overrides if not word.startswith("hydra")])[0])


def short_table(words: list[str], folder: Path) -> list[str]:
    """The words of `iamm-table`, with a table of one seed, one rate, one step, few data and the rows that it needs."""
    (name,) = (word.removeprefix("table=") for word in words if word.startswith("table="))
    own = folder / f"{name}.yaml"
    table = OmegaConf.to_container(OmegaConf.load(own if own.exists() else ROOT / "configs" / "table" / f"{name}.yaml"))
    budget = {"epochs": 1, "steps": 1, "learning_rates": table["budget"].get("learning_rates", [1e-3])[:1]}
    table |= {"seeds": [0], "budget": {**budget, "parameters": None}}
    shared = table["shared"] if isinstance(table["shared"], dict) else {"": table["shared"]}
    for overrides in shared.values():
        overrides += [*few(values_of_run(overrides)["dataset"]), *(f"{key}={value}" for key, value in SMALL.items())]
    table.pop("claims", None)
    needed = {column["minus"] for column in table.get("columns", {}).values() if "minus" in column}
    table["rows"] = {row: table["rows"][row] for row in [*list(table["rows"])[:2], *needed]}
    if "each" in table:
        choices = sorted(path.stem for path in (ROOT / "configs" / table["each"]["group"]).glob("*.yaml"))
        table["each"]["leave_out"] = choices[:-1]
    OmegaConf.save(OmegaConf.create(table), folder / f"{name}_short.yaml")
    words = [word for word in words if not word.startswith(("table.seeds", "--config-dir", "my_configs"))]
    return [
        "--config-dir",
        str(folder.parent),
        *(word.replace(f"table={name}", f"table={name}_short") for word in words),
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a user's own data, YAML files and package."""
    place = tmp_path_factory.mktemp("docs")
    header = "text,body,label,stars,product,price\n"
    reviews = [
        f"a {taste} film {number},{taste} it was {number},{taste},{taste},{number % 2},{number}\n"
        for number in range(60)
        for taste in ("fine", "dull")
    ]
    (place / "reviews.csv").write_text(header + "".join(reviews))
    (place / "reviews.txt").write_text("a fine film\n")
    (place / "mail.jsonl").write_text("".join(f'{{"text": "mail {n}", "label": "{n % 2}"}}\n' for n in range(60)))
    (place / "a.en").write_text("".join(f"one film {number}\n" for number in range(60)))
    (place / "a.fr").write_text("".join(f"un film {number}\n" for number in range(60)))
    clicks = [f"{user},{(user + step) % 20}\n" for user in range(20) for step in range(8)]
    (place / "clicks.csv").write_text("user,item\n" + "".join(clicks))
    for number in range(40):
        for kind, shade in (("cat", 40), ("dog", 200)):
            file = place / "pets" / kind / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (12, 12), shade + number % 30).save(file)
    ages = [f"{kind}/{number}.png,{number}\n" for number in range(40) for kind in ("cat", "dog")]
    (place / "pets" / "metadata.csv").write_text("file_name,age\n" + "".join(ages))
    (place / "photos").mkdir()
    Image.new("L", (20, 30), 90).save(place / "photos" / "one.png")
    written = re.findall(r"cat > (\S+) <<'END'\n(.*?)^END$", fences(ROOT / "docs" / "variants.md")[0], re.M | re.S)
    for path, text in written:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    table = re.search(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "tables.md").read_text(), re.M | re.S)[1]
    (place / "my_configs" / "table").mkdir()
    (place / "my_configs" / "table" / "mine.yaml").write_text(table)
    return place


@pytest.fixture
def run(place, monkeypatch, capfd):
    """Words with the command's name first → its answer, in that folder."""
    monkeypatch.chdir(place)

    def answer(name: str, *words: str):
        main = importlib.import_module(f"iamm.cli.{name.removeprefix('iamm-')}").main
        return in_process(name, main, monkeypatch, capfd)(*words)

    return answer


@pytest.fixture
def finished_run(run, place):
    """The folder of a finished run: of reviews, or of digits."""

    def folder(line: str) -> str:
        of_texts = ["dataset=[text_file@fdu_mtl_books]", "dataset.fdu_mtl_books.path=reviews.csv", "model=iamm"]
        words = of_texts if "reviews" in line else ["dataset=[digits]"]
        answer = run("iamm-train", *words, *(f"{key}={value}" for key, value in SHORT.items()))
        return re.search(r"run folder +(\S+)", answer.out)[1]

    return folder


@pytest.mark.long
@pytest.mark.parametrize("line", LINES)
def test_a_command_runs(line, run, finished_run, place, monkeypatch):
    for pattern, reason in ELSEWHERE.items():
        if re.search(pattern, line):
            pytest.skip(reason)
    if "$RUN" in line:
        monkeypatch.setenv("RUN", finished_run(line))
    name, *words = shlex.split(os.path.expandvars(line.removeprefix("IAMM_ALLOW=my_package ")))
    monkeypatch.setenv("IAMM_ALLOW", "my_package")
    words = by_a_launcher_at_hand([word for word in words if not word.startswith("data_dir=")])
    if name == "iamm-table" and "--help" not in words:
        words = short_table(words, place / "my_configs" / "table")
    elif name == "iamm-train" and "--help" not in words:
        words = short_run(words)
    elif name == "iamm-runs":
        finished_run(line)
        words = [re.sub(r"^fusion=\w+", "dataset=digits", word) for word in words]
    answer = run(name, *words)
    if answer.code in (WITHOUT_FILES, WITHOUT_PACKAGE):
        pytest.skip(answer.err)
    assert answer.code == 0, answer.err
    assert answer.out or "output=" in line
