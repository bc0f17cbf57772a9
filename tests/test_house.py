"""The rules of the house, read off the tree: one word in three places, arrows down only, nothing by the back door."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
CONFIGS, CODE, TESTS = ROOT / "configs", ROOT / "iamm", ROOT / "tests"

PARTS = {
    *("attention", "augment", "dataset", "encoder", "fusion", "head"),
    *("normaliser", "pattern", "schedule", "score", "transfer", "weighting"),
}  # floor 1, but for transfer
MAY_USE = {
    "attention": {"score", "pattern", "normaliser"},  # its parts
    **{"model": {"attention", "encoder", "fusion", "head"}, "engine": set(), "record": {"engine"}},  # floor 2
    "transfer": {"model", "engine"},  # floor 2
    **{"config": set(), "run": {*PARTS, "model", "engine", "record", "config"}},  # floor 3
    **{"sweep": {"run", "record", "config"}, "table": {"sweep", "run", "record", "config", "engine"}},  # floor 4
    "serve": {"dataset", "model", "engine", "record", "run"},  # floor 4
    "optimizer": set(),  # floor 1
}
FRONT = CODE / "__init__.py"  # has `iamm.load`
COMMAND = "cli"  # floor 5, sees all
COMPOSED = {"experiment", "model", "optimizer", "table"}  # groups whose choices are made of others' classes, or may be
ROOMS = {*PARTS, *MAY_USE, COMMAND}
LONGEST = 250  # lines of a file of iamm
CROWD = 16  # files of a room that is no list of variants

SOURCES = sorted(CODE.rglob("*.py"))
SCRIPTS = sorted(
    path for folder in ("iamm", "tests", "benchmarks", "scripts") for path in (ROOT / folder).rglob("*.py")
)
YAMLS = sorted(CONFIGS.rglob("*.yaml"))
VARIANTS = [path for path in YAMLS if path.parent != CONFIGS and path.parent.name not in COMPOSED]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def broken(paths: list[Path], rule: Callable[[Path], Any]) -> dict[str, Any]:
    """What a rule complains of, by file; one test a rule, whatever the number of files."""
    return {name_of(path): complaint for path in paths if (complaint := rule(path))}


def imports(source: str) -> Iterator[str]:
    """Full names of all that is imported, at the top or inside a function; relative ones keep their dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def may_import(room: str, name: str) -> bool:
    """Own room, what is no room (errors), the bases of floor 1, the vocabulary, the fields; else what MAY_USE says."""
    package, *inner = name.split(".")
    if package != "iamm" or not inner or inner[0] == room or inner[0] not in ROOMS:
        return not name.startswith(".")
    contract = inner[0] in PARTS and (
        inner[1:2] == ["base"] or inner[:2] in (["dataset", "vocabulary"], ["dataset", "fields"])
    )
    return room == COMMAND or contract or inner[0] in MAY_USE.get(room, ())


def module_of(room: str, variant: str) -> str:
    """The variant's own module or, for a preset, the one of the longest shorter name: multi30k_de_en → multi30k."""
    words = variant.split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return next((name for name in names if (CODE / room / f"{name}.py").exists()), variant)


def is_preset(path: Path) -> bool:
    """True for a choice that composes parts of a class there is, and so needs none of its own."""
    own = (CODE / path.parent.name / f"{module_of(path.parent.name, path.stem)}.py").exists()
    return not own and "defaults" in OmegaConf.load(path)


def camel(*names: str) -> str:
    return "".join(word.capitalize() for name in names for word in name.split("_"))


def target_of(path: Path) -> Any:
    """`_target_`, or that under the one key that is the file's own name, where several choices may be composed."""
    content: Any = OmegaConf.load(path)
    return content.get("_target_") or content.get(path.stem, {}).get("_target_")


def forbidden(source: str) -> Iterator[str]:
    """What compares without saying where, or runs what it reads."""
    unpickling = {"pickle.load", "pickle.loads", "pickle.Unpickler"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr == "allclose":
            yield f"line {node.lineno}: allclose"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in unpickling:
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (f"line {node.lineno}: {n}" for n in names if n in unpickling or n.endswith(".allclose"))
        if isinstance(node, ast.Call):
            says = {word.arg: ast.unparse(word.value) for word in node.keywords}
            safe = "True" if ast.unparse(node.func) != "torch.load" else None
            if says.get("weights_only", safe) != "True":
                yield f"line {node.lineno}: torch.load without weights_only=True"


def misplaced(path: Path) -> str:
    """What is missing or misnamed of the three files of a variant; empty where nothing is."""
    room = path.parent.name
    module = target_of(path).split(".")[2] if is_preset(path) else module_of(room, path.stem)
    code, test = CODE / room / f"{module}.py", TESTS / room / f"test_{module}.py"
    for file in (code, test):
        if not file.exists():
            return f"no {name_of(file)}"
    wanted = camel(module, room)
    if wanted not in [node.name for node in ast.parse(code.read_text()).body if isinstance(node, ast.ClassDef)]:
        return f"no class {wanted} in {name_of(code)}"
    target = target_of(path)
    return "" if target == f"iamm.{room}.{module}.{wanted}" else f"its _target_ is {target}"


def test_one_word_three_places() -> None:
    assert broken(VARIANTS, misplaced) == {}


def test_every_room_has_choices() -> None:
    rooms = {path.parent.name for path in YAMLS if path.parent != CONFIGS}
    assert rooms >= PARTS | COMPOSED
    assert rooms - COMPOSED == PARTS


def test_one_model_only() -> None:
    """A baseline is a YAML of parts, not a class."""
    classes = [
        node.name
        for path in (CODE / "model").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any("Module" in ast.unparse(base) for base in node.bases)
    ]
    assert classes == ["SceneNetwork"]


def test_rooms_are_those_of_the_plan() -> None:
    assert {path.parent.name for path in CODE.glob("*/__init__.py")} == ROOMS


def room_of(path: Path) -> str:
    """The folder right below `iamm`; a folder inside it belongs to the same room."""
    inside = path.relative_to(CODE).parts
    return inside[0] if len(inside) > 1 else ""


def upward(path: Path) -> list[str]:
    """The package's own door opens the room of trained models."""
    found = [name for name in imports(path.read_text()) if not may_import(room_of(path), name)]
    return [name for name in found if not (path == FRONT and name.startswith("iamm.serve."))]


def test_arrows_run_down() -> None:
    assert broken(SOURCES, upward) == {}


def test_only_the_configuration_knows_hydra() -> None:
    others = [path for path in SOURCES if room_of(path) != "config"]
    libraries = ("hydra", "omegaconf")
    found = broken(others, lambda path: [n for n in imports(path.read_text()) if n.split(".")[0] in libraries])
    assert found == {}


def test_what_hydra_has_only_inside_is_used_in_one_place() -> None:
    inside = ("hydra._internal", "omegaconf._utils")
    found = broken(SOURCES, lambda path: [n for n in imports(path.read_text()) if n.startswith(inside)])
    assert set(found) == {"iamm/config/hydra_compat.py"}


def headless(path: Path) -> bool:
    """It is shown by --help; only Hydra's own `@package` line may stand above it."""
    first = next(line for line in path.read_text().splitlines() if "@package" not in line)
    return not first.startswith("# ") or len(first.split()) <= 3


def test_first_line_says_what_the_choice_is() -> None:
    assert broken(YAMLS, headless) == {}


def test_init_files_are_empty() -> None:
    assert broken(sorted(CODE.rglob("*/__init__.py")), Path.read_text) == {}


def test_files_are_short() -> None:
    assert broken(SOURCES, lambda path: len(path.read_text().splitlines()) > LONGEST) == {}


def test_nothing_forbidden() -> None:
    assert broken(SCRIPTS, lambda path: list(forbidden(path.read_text()))) == {}


def test_rooms_are_not_crowded() -> None:
    """A flat list of more than some fifteen files is no room; folders of variants are lists by nature."""
    folders = {path.parent for path in SOURCES if room_of(path) not in PARTS | {""}}
    counts = {name_of(folder): len(list(folder.glob("*.py"))) - 1 for folder in folders}
    assert {name: count for name, count in counts.items() if count > CROWD} == {}


def test_wheel_holds_every_folder() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    code = {path.parent.relative_to(ROOT) for path in SOURCES}
    configs = {Path("iamm") / path.parent.relative_to(ROOT) for path in [*YAMLS, CONFIGS / "__init__.py"]}
    assert sorted(listed) == sorted(".".join(path.parts) for path in code | configs)


def test_wheel_holds_every_template() -> None:
    folders = {path.parent for path in CODE.rglob("templates/*")}
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    held = {ROOT / package.replace(".", "/") / Path(glob).parent for package, globs in data.items() for glob in globs}
    assert folders
    assert folders <= held


@pytest.mark.parametrize(
    ("room", "line", "right"),
    [
        ("attention", "from iamm.attention.additive import AdditiveAttention", True),
        ("encoder", "from iamm.attention.base import Attention", True),
        ("encoder", "from iamm.attention import base", True),
        ("encoder", "from iamm.attention.additive import AdditiveAttention", False),
        ("encoder", "import iamm.attention.additive", False),
        ("encoder", "from iamm import attention", False),
        ("encoder", "from iamm.model.base import x", False),
        ("augment", "from iamm.dataset.vocabulary import PAD", True),
        ("model", "from iamm.dataset.fields import Field", True),
        ("augment", "def f():\n    from iamm.dataset.digits import DigitsDataset", False),
        ("head", "from ..attention import additive", False),
        ("head", "from . import base", False),
        ("head", "from iamm.errors import BadDataError", True),
        ("engine", "from iamm.weighting.base import Weighting", True),
        ("engine", "from iamm.weighting.equal import EqualWeighting", False),
        ("engine", "from iamm.model.scene_network import SceneNetwork", False),
        ("engine", "from iamm.cli.train import main", False),
        ("model", "from iamm.fusion.shared import SharedFusion", True),
        ("model", "from iamm.engine.fit import fit", False),
        ("record", "from iamm.engine.fit import RunState", True),
        ("engine", "from iamm.record.run_folder import RunFolder", False),
        ("cli", "from iamm.engine.fit import fit", True),
        ("", "from iamm.attention.additive import AdditiveAttention", False),
        ("encoder", "import torch", True),
    ],
)
def test_the_reading_of_imports(room: str, line: str, right: bool) -> None:
    assert all(may_import(room, name) for name in imports(line)) == right


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("torch.allclose(a, b)", 1),
        ("from torch import allclose", 1),
        ("a.allclose(b)", 1),
        ("pickle.load(f)", 1),
        ("from pickle import loads", 1),
        ("torch.load(p, weights_only=False)", 1),
        ("torch.load(p)", 1),
        ("load(p, weights_only=x)", 1),
        ("torch.load(p, weights_only=True)", 0),
        ("torch.testing.assert_close(a, b)", 0),
        ("'pickle.load and allclose in a sentence'", 0),
    ],
)
def test_the_reading_of_what_is_forbidden(line: str, found: int) -> None:
    assert len(list(forbidden(line))) == found


def test_the_shorter_name() -> None:
    assert module_of("augment", "image") == "image"
    assert module_of("augment", "image_of_digits") == "image"
    assert module_of("augment", "nowhere_at_all") == "nowhere_at_all"
    assert camel("scaled_dot_product", "attention") == "ScaledDotProductAttention"
