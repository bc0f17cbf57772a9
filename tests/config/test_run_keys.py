"""Each key of a run has a constraint, each key of a part one that its class states; their own values keep them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from iamm.config.check.run_keys import RUN, leaves
from iamm.config.check.statements import PartOf, arguments
from iamm.config.parts import parts
from iamm.constraints import OrNull

CONFIGS = Path(__file__).parents[2] / "configs"
PARTS = sorted(path for path in CONFIGS.glob("*/*.yaml") if "_target_" in path.read_text())


def is_part(rule) -> bool:
    return isinstance(rule.other if isinstance(rule, OrNull) else rule, PartOf)


@pytest.mark.parametrize("path", PARTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_key_of_a_part_has_a_constraint(path):
    content = OmegaConf.to_container(OmegaConf.load(path))
    part = content if "_target_" in content else content[path.stem]
    for key, value in part.items():
        if key.startswith("_") or key == "defaults":
            continue
        rule = arguments(part).get(key) or RUN.get(f"{path.parent.name}.{key}")
        assert rule is not None, key
        assert value == "???" or "${" in str(value) or rule.holds(value), key


def test_every_key_of_a_run_has_a_constraint():
    with initialize_config_module("iamm.configs", version_base="1.3"):
        values = OmegaConf.to_container(compose("train"), resolve=True)
    own = {path for path, *_ in leaves(values, stop="_target_")}
    assert own - set(RUN) == {"device", "phases", "permuted"}  # which have checks of their own
    assert {key for key in RUN if not key.startswith("optimizer.")} <= own
    for part in parts(values):
        for key, value in part.values.items():
            rule = arguments(part.values).get(key) or RUN.get(f"{part.path}.{key}")
            assert key.startswith("_") or (rule is not None and rule.holds(value)), f"{part.path}.{key}"


def test_an_argument_that_takes_a_part_says_of_which_room():
    rules = arguments({"_target_": "iamm.fusion.global_local.GlobalLocalFusion"})
    assert rules["local"] == PartOf("attention")
    assert rules["pool"] == OrNull(PartOf("attention"))
    composed = arguments({"_target_": "iamm.attention.multi_head.MultiHeadAttention"})
    assert [composed[room] for room in ("score", "pattern", "normaliser")] == [
        PartOf("score"),
        PartOf("pattern"),
        PartOf("normaliser"),
    ]
    assert {key for key, rule in composed.items() if rule and is_part(rule)} == {"score", "pattern", "normaliser"}
