"""A plain command line is composed as Hydra composes it: each key in its place, each choice, each run folder."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from iamm.config.by_hydra import compose_tree
from iamm.config.command_line import Line, side_by_side
from iamm.config.compose import composed, named_choices, tree_composer
from iamm.config.composer import Composer
from iamm.config.overrides import NotPlainError
from iamm.config.references import resolved
from iamm.config.sources import Sources
from iamm.errors import ConfigError
from iamm.run.planned import Cell

CONFIGS = Path(__file__).parents[2] / "configs"
ONE = Composer(Sources())  # what it keeps of one composition must not reach the next


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def by_hydra(*words: str) -> tuple[str, dict[str, str], str, str]:
    with initialize_config_module(version_base="1.3", config_module="iamm.configs"):
        config = compose("train", overrides=list(words), return_hydra_config=True)
    taken = OmegaConf.to_container(config.hydra.runtime.choices)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    resolved = OmegaConf.to_container(config, resolve=True)
    return (
        OmegaConf.to_yaml(config),
        named_choices(taken, resolved),
        json.dumps(resolved),
        Cell(resolved, named_choices(taken, resolved)).name,
    )


def plainly(*words: str) -> tuple[str, dict[str, str], str, str]:
    tree, taken = ONE.compose(words)
    values = resolved(tree)
    choices = named_choices(taken, values)
    return OmegaConf.to_yaml(OmegaConf.create(tree)), choices, json.dumps(values), Cell(values, choices).name


def assert_same(*words: str) -> None:
    plain, theirs = plainly(*words), by_hydra(*words)
    assert plain == theirs
    assert list(plain[1]) == list(theirs[1])


@pytest.mark.parametrize(
    "words",
    [
        "",
        "epochs=3 optimizer.lr=1e-3 optimizer.betas=[0.5,0.9] device=cuda:1 output_dir=/a/b clip=null rerun=TRUE",
        "dataset=shapes",
        "dataset=[shapes,digits,multi30k_de_en] augment=[image,text] dataset.digits.batch_size=7",
        "dataset=[] augment=[text]",
        "attention=hierarchical attention.word.score.hidden=7 attention.sentence.dropout=${dropout}",
        "score@attention.score=additive pattern@attention.pattern=window attention.pattern.radius=3",
        "+attention@mine=low_rank head.generation.self_attention=${mine} +mine.more.yet=1",
        "encoder@encoder.text=recurrent encoder.text.layers=3 head@head.generation=recurrent_generator",
        "++foo.bar=3 +foo.baz=[a,b] ++epochs=4 ~l1 ~log.pictures ~optimizer.lr",
        "'+x={a: 1, b: {c: [2, d]}}' \"++x.b.e='y z'\" 'optimizer={lr: 2}' log=3",
        "seed=3 dim=${seed} batch_size=${dataset.shapes.train} +n=${encoder.image}",
        "run='a b' output_dir='${data_dir}'",
        "weighting=fixed 'weighting.values=[0.5, 0.25]' +experiment=weighting model=fam",
        "dataset.shapes.views=[image] attention=additive attention=cosine",
        "epochs=null patience=2.5 precision=007 mode= run=nan",
    ],
)
def test_composed_as_by_hydra(words):
    split = shlex.split(words)
    if "dataset=[]" in split:
        tree, _ = ONE.compose(split)
        assert "dataset" not in tree
        return
    assert_same(*split)


@pytest.mark.parametrize("experiment", names("experiment"))
def test_every_experiment(experiment):
    assert_same(f"+experiment={experiment}", "seed=3")
    assert_same("model=multi_task", f"+experiment={experiment}", "attention=gated", "weighting=nash")


@settings(max_examples=12, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **{group: st.sampled_from(names(group)) for group in ("attention", "model", "schedule", "weighting")},
            **{group: st.sampled_from(names(group)) for group in ("fusion", "optimizer")},
            "+experiment": st.sampled_from(names("experiment")),
            "score@attention.score": st.sampled_from(names("score")),
            "normaliser@attention.normaliser": st.sampled_from(names("normaliser")),
            "pattern@attention.pattern": st.sampled_from(names("pattern")),
            "dataset": st.lists(st.sampled_from(names("dataset")), min_size=1, max_size=3).map(
                lambda each: f"[{','.join(each)}]"
            ),
            "augment": st.sampled_from(["[]", "[image]", "[text,image]"]),
            "seed": st.integers(0, 9),
            "dropout": st.sampled_from(["0.5", "1e-1", "null", "'0.5'", "${l1}"]),
            "++new.key": st.sampled_from(["[]", "{a: ${seed}}", "x", "${attention}"]),
            "~clip": st.just("null"),
        },
    ),
    st.randoms(use_true_random=False),
)
def test_any_choices(words, random):
    order = [f"{key}={value}" for key, value in words.items()]
    random.shuffle(order)
    try:
        theirs = by_hydra(*order)
    except Exception:
        with pytest.raises((ConfigError, NotPlainError)):
            plainly(*order)
        return
    assert plainly(*order) == theirs


SWEEPS = [
    ("+experiment=multiscene,generation", "attention=additive,gated", "seed=range(2)"),
    ("fusion=glob(s*)", "optimizer.lr=choice(1e-3,4e-3)", "+note='a, b',null"),
    ("dataset=[shapes],[digits,shapes]", "dropout=0.1,${l1}", "weighting=nash", "l1=0.0,0.25"),
    ("weighting=fixed", "weighting.values=[0.5,0.5],[1,0]", "score@attention.score=dot_product,additive"),
    ("seed=1,2", "seed=3", "attention.heads=2", "++a.b=1,2", "~clip"),
]


@pytest.mark.parametrize("words", SWEEPS)
def test_a_job_of_a_sweep_is_the_run_by_itself(words):
    from iamm.config.hydra_compat import combinations

    found = composed(Line(words, sweeping=True))
    jobs = combinations(words, Sources().choices)
    assert len(found) == len(jobs) > 1
    for each, job in zip(found, jobs, strict=True):
        _, choices, values, name = by_hydra(*job, "threads=1")
        assert json.dumps(each.values) == values
        assert named_choices(each.chosen, each.values) == choices
        assert Cell(each.values, choices).name == name


def test_jobs_come_in_hydras_order():
    GlobalHydra.instance().clear()
    found = composed(Line(("seed=1,0", "dim=8,16", "model=fam,iamm"), sweeping=True))
    order = [(each.values["seed"], each.values["dim"], each.chosen["model"]) for each in found]
    assert order == [(s, d, m) for s in (1, 0) for d in (8, 16) for m in ("fam", "iamm")]


MINE = """# @package _global_
defaults:
  - override /model: fam
  - _self_

dim: 32
"""


@pytest.fixture
def mine(tmp_path):
    for path, text in {
        "experiment/mine.yaml": MINE,
        "attention/wide.yaml": "defaults:\n  - multi_head\n  - _self_\nheads: 8\n",
        "attention/additive.yaml": "heads: hidden behind the project's own\n",
        "attention/placed.yaml": "# @package elsewhere.deep\n\nheads: 2\n",
        "attention/empty.yaml": "",
        "attention/optional.yaml": "defaults:\n  - optional /score@score: none_such\n  - _self_\nheads: 2\n",
        "attention/now.yaml": "when: ${hydra:job.name}\n",
        "attention/broken.yaml": "a: [1\n",
        "attention/list.yaml": "- 1\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return str(tmp_path)


@pytest.mark.parametrize(
    "words", ["+experiment=mine", "attention=wide", "attention=additive", "attention=placed", "attention=empty"]
)
def test_files_of_the_users_own(words, mine):
    tree, taken = Composer(Sources(mine)).compose([words])
    theirs, choices = compose_tree([words], mine)
    assert json.dumps(tree) == json.dumps(theirs)
    assert taken == {key: value for key, value in choices.items() if not key.startswith("hydra/")}


@pytest.mark.parametrize(
    "words",
    [
        *("attention=optional", "attention=list", "~model", "+model=iamm", "+attention=wide", "~attention.heads=7"),
        *(
            "dataset={a: 1}",
            "encoder.image=[1]",
            "optimizer.betas.0=1",
            "head.generation.self_attention.heads=3",
            "dataset=[1]",
        ),
    ],
)
def test_left_to_hydra(words, mine):
    with pytest.raises((NotPlainError, Exception)) as raised:
        Composer(Sources(mine)).compose(words.split(" ") if "{" not in words else [words])
    assert not isinstance(raised.value, ConfigError)


@pytest.mark.parametrize(
    "tree",
    [
        *({"a": "${b"}, {"a": "x${b}", "b": 1}, {"a": "${hydra:job.num}"}, {"a": "${now:%Y}"}, {"a": ["${b}"], "b": 1}),
        *({"a": "${a}"}, {"a": "${b}", "b": "${a}"}, {"a": "${b}", "b": "???"}, {"a": {"b": "${a}"}}),
        *({"a": r"\${b}", "b": 1}, {"a": "${oc.env:NONE_SUCH}"}, {"a": "${b.c}", "b": 1}, {"a": "${...b}", "b": 1}),
    ],
)
def test_references_left_to_hydra(tree):
    with pytest.raises(NotPlainError):
        resolved(tree)


def test_references(monkeypatch):
    monkeypatch.setenv("SOME_NAME", "from outside")
    tree = {
        "a": {"b": 1, "c": "${.b}", "d": {"e": "${..b}", "f": "${a.c}"}},
        "g": "${a}",
        "h": "${g.d.e}",
        "i": "${oc.env:SOME_NAME,inside}",
        "j": "${oc.env:NONE_SUCH,in/side}",
    }
    assert resolved(tree) == OmegaConf.to_container(OmegaConf.create(tree), resolve=True)


def test_a_reference_to_nothing():
    with pytest.raises(ConfigError, match=r"`a\.b` must refer to a key that is there\. Found \$\{none\.such\}"):
        resolved({"a": {"b": "${none.such}"}})


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("dataset=[text_file@a,text_file@b]", "dataset=[] +dataset@dataset.a=text_file +dataset@dataset.b=text_file"),
        ("dataset=[shapes,text_file@mail,digits]", "dataset=[shapes,digits] +dataset@dataset.mail=text_file"),
        ("dataset=text_file@mail", "dataset=[] +dataset@dataset.mail=text_file"),
        ("dataset=[shapes,digits]", "dataset=[shapes,digits]"),
        ("attention@mine=low_rank", "attention@mine=low_rank"),
    ],
)
def test_data_sets_with_names_of_their_own(word, words):
    assert side_by_side([word]) == words.split()
    if "mail" in word:
        assert_same(*words.split(), "dataset.mail.path=a.csv")
        assert plainly(*words.split(), "dataset.mail.path=a.csv")[1]["dataset"].split("+")[-1] == "mail"


def test_a_yaml_of_ones_own_extends_a_choice(tmp_path):
    (tmp_path / "dataset").mkdir()
    file = tmp_path / "dataset" / "mail.yaml"
    file.write_text("# @package dataset.mail\n# My mail, by sender.\ndefaults:\n  - text_file@_here_\n\npath: a.csv\n")
    tree, _ = tree_composer(Sources(str(tmp_path)))(["dataset=mail"])
    assert list(tree["dataset"]) == ["mail"]
    assert tree["dataset"]["mail"]["path"] == "a.csv"
    assert tree["dataset"]["mail"]["text"] == "text"
