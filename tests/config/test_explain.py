"""The same mistake is the same line, whether our own composer finds it or Hydra."""

from __future__ import annotations

import re

import pytest
from omegaconf import OmegaConf

from iamm.config.by_hydra import compose_tree, resolve_tree
from iamm.config.compose import resolve, tree_composer
from iamm.config.composer import Composer
from iamm.config.explain import explained
from iamm.config.mistakes import UnknownKeyError
from iamm.config.overrides import NotPlainError
from iamm.config.references import resolved
from iamm.config.sources import Sources
from iamm.errors import ConfigError

MISTAKES = [
    ("epoch=3", UnknownKeyError, 'A key must be known. Found epoch. Did you mean "epochs"?'),
    ("~epoch", UnknownKeyError, 'A key must be known. Found epoch. Did you mean "epochs"?'),
    *((f"~{key}", ConfigError, f"Found ~{key}, which is null: leave it out.") for key in ("patience", "threads")),
    ("~steps", ConfigError, "`~` deletes a key that holds a value. Found ~steps, which is null: leave it out."),
    ("log.picturs=3", UnknownKeyError, 'A key must be known. Found log.picturs. Did you mean "log.pictures"?'),
    ("experiment=multiscene", ConfigError, "`experiment` has no default to override."),
    ("attention=additve", ConfigError, 'Found additve. Did you mean "additive"?'),
    ("fusion=null", ConfigError, "A group takes the name of a choice. Found null or a number"),
    ("fusion=3", ConfigError, "A group takes the name of a choice. Found null or a number"),
]


@pytest.mark.parametrize(("word", "kind", "said"), MISTAKES, ids=[word for word, *_ in MISTAKES])
def test_composed_by_either(word, kind, said):
    with pytest.raises(kind) as ours:
        Composer(Sources()).compose([word])
    with pytest.raises(kind) as theirs, explained():
        compose_tree([word], None)
    assert str(ours.value) == str(theirs.value)
    assert said in str(ours.value)


def test_a_reference_to_nothing_by_either():
    tree = {"a": {"b": "${none.such}"}}
    with pytest.raises(ConfigError) as ours:
        resolved(tree)
    with pytest.raises(ConfigError) as theirs, explained():
        resolve_tree(tree)
    assert str(ours.value) == str(theirs.value)


def test_what_is_no_mistake_of_a_configuration_passes():
    with pytest.raises(KeyError), explained():
        raise KeyError("a defect")


def test_what_only_hydra_composes(tmp_path):
    """A file of the user's own with an optional default, and a reference inside a text."""
    (tmp_path / "attention").mkdir()
    (tmp_path / "attention" / "mine.yaml").write_text(
        "defaults:\n  - optional /schedule@other: none_such\n  - multi_head\n  - _self_\nheads: 2\nnote: dim ${dim}\n"
    )
    sources = Sources(str(tmp_path))
    with pytest.raises(NotPlainError):
        Composer(sources).compose(["attention=mine", "dim=32"])
    tree, taken = tree_composer(sources)(["attention=mine", "dim=32"])
    assert (taken["attention"], tree["attention"]["heads"], tree["dim"]) == ("mine", 2, 32)
    assert tree["attention"]["note"] == "dim ${dim}"
    assert "hydra" not in tree
    values = resolve(tree)
    assert values["attention"]["note"] == "dim 32"
    assert values == OmegaConf.to_container(OmegaConf.create(tree), resolve=True)


@pytest.mark.parametrize("word", ["data_dir=a=b", "data_dir=a[b", "steps=[1", "output_dir=a=b[c"])
def test_a_sign_without_quotes_is_refused_with_its_key(word):
    said = f"An override must read key=value. Found {word}: put quotes around signs and spaces"
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}"), explained():
        Composer(Sources()).compose([word])
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}"), explained():
        compose_tree([word], None)


def test_a_mistake_that_only_hydra_finds_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^A key takes one value\. Found seed=1,2: add -m"), explained():
        Composer(Sources()).compose(["seed=1,2"])
