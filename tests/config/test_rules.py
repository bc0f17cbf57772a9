"""Every key of every YAML has a rule, and its own value keeps it; what rules refuse and say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from iamm.config.check.constraints import ListOf, Number, OneOf, Switch, Text, meant
from iamm.config.check.rules import RULES, leaves, rule_for
from iamm.config.check.values import owned
from iamm.config.parts import name_of
from tests.composing import config_of

CONFIGS = Path(__file__).parents[2] / "configs"
PARTS = sorted(path for path in CONFIGS.glob("*/*.yaml") if "_target_" in path.read_text())


@pytest.mark.parametrize("path", PARTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_key_of_a_part_has_a_rule(path):
    content = OmegaConf.to_container(OmegaConf.load(path))
    part = content if "_target_" in content else content[path.stem]
    room, variant = name_of(part["_target_"])
    for key, value in part.items():
        if key.startswith("_") or key == "defaults" or (isinstance(value, str) and "attention" in value):
            continue
        rule = rule_for(room, variant, key)
        assert rule is not None, key
        assert value == "???" or "${" in str(value) or rule.holds(value), key


def test_every_key_of_a_run_has_a_rule():
    values = OmegaConf.to_container(config_of(), resolve=True)
    found = {path: rule_for(room, variant, key) for path, room, variant, key, _ in owned(values)}
    assert {path for path, rule in found.items() if rule is None} == {"device"}
    assert len(found) > 80


@pytest.mark.parametrize("group", ["experiment", "model"])
def test_presets_keep_the_rules(group):
    for path in sorted((CONFIGS / group).glob("*.yaml")):
        content = OmegaConf.to_container(OmegaConf.load(path))
        for place, key, value in leaves({key: part for key, part in content.items() if key != "defaults"}):
            rules = [rule for name, rule in RULES.items() if name.split(".")[-1] == key]
            assert value is None or any(rule.holds(value) for rule in rules), (path.name, place)


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (Number(1, whole=True), [1, 7], [0, 1.0, True, None, "1", 10**400 * -1]),
        (Number(0, 1, below=True), [0, 0.5], [1, -0.1, math.nan, math.inf]),
        (Number(0, above=True, empty=True), [0.1, None], [0, -1, math.inf, math.nan]),
        (OneOf(("a", "b")), ["a"], ["c", None, ["a"], 1]),
        (Switch(), [True, False], [0, 1, "true", None]),
        (Text(), ["a"], ["", None, 3, ["a"]]),
        (Text(empty=True), ["a", None], ["", 3]),
        (ListOf(Number(0)), [[0], [1, 2.5]], [[], None, 1, "a", [-1], [[1]], {"a": 1}]),
        (ListOf(Number(0), length=2), [[0, 1]], [[0], [0, 1, 2]]),
        (ListOf(OneOf(("a", "b")), different=True), [["a", "b"]], [["a", "a"], ["c"]]),
        (ListOf(Number(0), empty=True), [None, [1]], [[]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_rules_hold(rule, right, wrong):
    assert [value for value in right if not rule.holds(value)] == []
    assert [value for value in wrong if rule.holds(value)] == []


def test_what_rules_say():
    assert Number(1, whole=True).words() == "a whole number at least 1"
    assert Number(0, 1, above=True, empty=True).words() == "a number above 0 and at most 1, or null"
    assert ListOf(OneOf(("a", "b")), different=True).words() == "a list without repeats, each of it one of a, b"
    assert ListOf(Number(0), length=2).words() == "a list of 2, each of it a number at least 0"


def test_a_nearly_right_word():
    assert meant(OneOf(("fp32", "bf16")), "fp23") == ' Did you mean "fp32"?'
    assert meant(Switch(), "ture") == ' Did you mean "true"?'
    assert meant(ListOf(OneOf(("image", "text"))), ["image", "txet"]) == ' Did you mean "text"?'
    assert meant(OneOf(("fp32", "bf16")), "double") == ""
    assert meant(Number(0), "abc") == ""
    assert meant(Number(0), "") == ""
