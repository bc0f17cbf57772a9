"""What is read without Hydra is read as Hydra reads it."""

from __future__ import annotations

import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import example, given
from hypothesis import strategies as st

from iamm.config.command_line import Line, in_order, plain_line, refuse_rerun
from iamm.config.overrides import NotPlainError, parsed, simple
from iamm.errors import ConfigError

PARSER = OverridesParser.create()


def same(one, other) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@given(st.text("aeEfintrulTN019_.+-/:@[],% '", max_size=7))
@example("1e-3")
@example("+1.5E+07")
@example("-.5")
@example("007")
@example("1_000")
@example("1.")
@example("TRUE")
@example("Null")
@example("inf")
@example("-inf")
@example("nan/x")
@example("[a,1,2.5,null,TRUE]")
@example("[]")
@example("[a,]")
@example("cuda:1")
@example("a b")
@example("'a'")
@example("")
def test_a_simple_value_is_what_hydra_reads(text):
    try:
        value = simple(text)
    except NotPlainError:
        return
    override = PARSER.parse_override(f"key={text}")
    assert not override.is_sweep_override()
    assert same(value, override.value())


@pytest.mark.parametrize(
    "word",
    [
        *("epochs=3", "+a.b=x", "++a.b.c=[1,2]", "~epochs", "~a.b=3", "score@attention.score=additive", "a=", "~a="),
        *("+attention@mine=multi_head", "a='x y'", "a={b: 1, c: [d]}", "a=${dim}", r"a=x\,y", "a.0=1", "a=[[1],2]"),
    ],
)
def test_a_word_is_what_hydra_reads(word):
    read, override = parsed(word), PARSER.parse_override(word)
    assert f"{read.sign}{read.key}" + (f"@{read.package}" if read.package else "") == override.get_key_element()
    assert same(read.value, override.value())


@pytest.mark.parametrize("word", ["foo", "a=1,2", "a=range(3)", "a=[b", "=[", "a==b"])
def test_no_override(word):
    with pytest.raises(HydraException):
        parsed(word)


def test_lines():
    assert plain_line(["a=1", "-m", "b=2"]) == Line(("a=1", "b=2"), sweeping=True)
    assert plain_line(["--cfg", "job", "a=1"]) == plain_line(["a=1", "--cfg=job"]) == Line(("a=1",), shown=True)
    assert plain_line(["-c", "job", "-cd", "mine"]) == Line((), shown=True, folder="mine")
    assert plain_line(["--config-dir=mine", "~a"]) == Line(("~a",), folder="mine")


@pytest.mark.parametrize(
    "words",
    [
        *("--cfg hydra", "--cfg all", "-c", "--info", "--resolve --cfg job", "-m --cfg job", "--config-name x", "-r"),
        *(
            "hydra.verbose=true",
            "hydra/launcher=joblib",
            "+hydra.x=1",
            "~hydra/launcher",
            "--multi",
            "-sc install=bash",
        ),
    ],
)
def test_lines_of_hydras_own(words):
    with pytest.raises(NotPlainError):
        plain_line(words.split())


def test_options_before_overrides():
    words = ["a=1", "-m", "~b", "--config-dir", "mine", "+c=2"]
    assert in_order(words) == ["-m", "--config-dir", "mine", "a=1", "~b", "+c=2"]


@pytest.mark.parametrize("word", ["--experimental-rerun", "--experimental-rerun=x.pickle", "--exp", "--e"])
def test_no_pickle_is_run(word):
    with pytest.raises(ConfigError, match=r"not from a pickle\. Found --e"):
        refuse_rerun(["a=1", word])


def test_other_options_are_no_rerun():
    others = ["--epochs=3", "--", "-e", "experimental-rerun=3"]
    refuse_rerun(others)
    with pytest.raises(ConfigError):
        refuse_rerun([*others, "--experimental-rerun=x.pickle"])
