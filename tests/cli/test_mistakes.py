"""A user's mistake: the right exit code, one line with the rule, what was found and what to do; nothing is written."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG, BAD, MISSING, OUTPUT = 2, 65, 66, 73

MISTAKES = [  # the words, what the line must hold
    ("epohcs=3", "A key must be known. Found epohcs.", 'Did you mean "epochs"?'),
    ("lr=0.1", "Found lr.", 'Did you mean "optimizer.lr"?'),
    ("optimizer.lrr=1", "Found optimizer.lrr.", 'Did you mean "optimizer.lr"?'),
    ("attention.heds=2", "Found attention.heds.", 'Did you mean "attention.heads"?'),
    ("encoder.text.layrs=2", "Found encoder.text.layrs.", 'Did you mean "encoder.text.layers"?'),
    ("dataset.shapes.trian=7", "Found dataset.shapes.trian.", 'Did you mean "dataset.shapes.train"?'),
    ("attention=additive attention.heads=2", "Found attention.heads,", "others: choose that, or leave the key out."),
    ("score=additive", "A part of an attention has its place. Found score=…", "write score@attention.score=…."),
    ("attention=multi_head attention.pattern.radius=2", "Found attention.pattern.radius,", "attention=local_global or"),
    ("attention=multi_head attention.pattern.rank=2", "Found attention.pattern.rank,", "a key of attention=low_rank:"),
    ("attention=local attention.pattern.radus=2", "Found attention.pattern.radus.", '"attention.pattern.radius"?'),
    (
        "attention=local attention.pattern.radius=0",
        "`attention.pattern.radius` must be a whole number at least 1 and at most 65536.",
        "0",
    ),
    ("dataset.digits.test=0.1", "Found dataset.digits.test,", "a key of dataset=digits: choose that"),
    ("attentoin=additive", "Found attentoin.", 'Did you mean "attention"?'),
    ("attention=additve", "`attention` must be one of its choices. Found additve.", 'Did you mean "additive"?'),
    ("dataset=digts", "`dataset` must be one of its choices. Found digts.", 'Did you mean "digits"?'),
    ("dataset=[digts]", "`dataset` must be one of its choices. Found digts.", 'Did you mean "digits"?'),
    ("dataset=[digits,shaps]", "Found shaps.", 'Did you mean "shapes"?'),
    ("dataset=[" + "x" * 300 + "]", "`dataset` must be one of its choices.", "Found xxx"),
    ("--config-dir " + "x" * 300, "`--config-dir` must name a folder.", "xxx"),
    ("augment=[imag]", "`augment` must be one of its choices. Found imag.", 'Did you mean "image"?'),
    ("+experiment=multiscen", "Found multiscen.", 'Did you mean "multiscene"?'),
    ("attention=", "`attention` must be one of its choices. Found none.", "additive"),
    ("attention=null", "A group takes the name of a choice. Found null", "--help"),
    ("experiment=multiscene", "Found experiment=…", "write +experiment=…"),
    ("score@attention.score=additve", "`score` must be one of its choices.", 'Did you mean "additive"?'),
    ("encoder@encoder.image=convolutionel", "Found convolutionel.", 'Did you mean "convolutional"?'),
    ("epochs=-1", "`epochs` must be a whole number at least 1.", "Found -1."),
    ("epochs=abc", "`epochs` must be a whole number at least 1.", "Found 'abc'."),
    ("epochs=2.5", "`epochs` must be a whole number at least 1.", "Found 2.5."),
    ("epochs=true", "`epochs` must be a whole number at least 1.", "Found True."),
    ("epochs=null", "`epochs` must be a whole number at least 1.", "Found None."),
    ("seed=-1", "`seed` must be a whole number at least 0 and at most 4294967295.", "Found -1."),
    ("threads=1000000", "`threads` must be a whole number at least 1 and at most 4096", "Found 1000000."),
    ("dropout=1.5", "`dropout` must be a number at least 0 and below 1.", "Found 1.5."),
    ("clip=0", "`clip` must be a number above 0, or null.", "Found 0."),
    ("optimizer.lr=-0.1", "`optimizer.lr` must be a number above 0.", "Found -0.1."),
    ("optimizer.lr=inf", "`optimizer.lr` must be a number above 0.", "Found inf."),
    ("precision=fp12", "`precision` must be one of fp32, bf16, fp16, int8.", "Found 'fp12'."),
    ("growth_patience=2 growth=2", "`growth_patience` needs the steps of an epoch", "Found steps=None, growth=2: give"),
    ("growth_patience=2 steps=5", "`growth_patience` needs the steps of an epoch", "Found steps=5, growth=1.0: give"),
    ("device=tpu", "`device` must be auto, cpu, cuda or cuda:<number>.", "Found 'tpu'."),
    ("devices=0", "`devices` must be a whole number at least 1, or null.", "Found 0."),
    ("devices=2 device=cuda:1", "`devices` takes the GPUs from cuda:0 on.", "Found device=cuda:1: write device=cuda"),
    (
        "attention.heads=3 dim=128",
        "`attention.heads` must divide `dim`.",
        "Found dim=128, heads=3: choose one of 1, 2, 4",
    ),
    ("dataset=[]", "A run needs a scene. Found an empty `dataset`", "dataset=[shapes]"),
    ("dataset.shapes.train=0", "`dataset.shapes.train` must be a whole number at least 1", "Found 0."),
    ("dataset.shapes.relatedness=2", "`dataset.shapes.relatedness` must be a number at least 0 and at most 1.", "2."),
    ("weighting=fixed", "`weighting.values` must be given", "add weighting.values=…"),
    ("weighting=fixed weighting.values=[a,1]", "`weighting.values` must be a list, each of them a number", "['a', 1]"),
    ("weighting=fixed weighting.values=0.5", "`weighting.values` must be a list, each of them a number", "Found 0.5."),
    (
        "weighting=nash weighting.wrt=heads",
        "`weighting.wrt` must be one of parameters, representation.",
        "Found 'heads'.",
    ),
    ("weighting=nash weighting.every=0", "`weighting.every` must be a whole number at least 1.", "Found 0."),
    (
        "weighting=conflict_averse weighting.conflict=1",
        "`weighting.conflict` must be a number at least 0 and below",
        "1.",
    ),
    ("log.conflict=yes", "`log.conflict` must be true or false.", "Found 'yes'."),
    ("log.attention=yes", "`log.attention` must be true or false.", "Found 'yes'."),
    ("log.attention=1", "`log.attention` must be true or false.", "Found 1."),
    (
        "log.attention=true log.pictures=0",
        "`log.attention` draws the examples of `log.pictures`.",
        "Found log.pictures=0",
    ),
    ("permuted=0.5", "`permuted` must be null, or a share for each scene", "Found 0.5"),
    ("permuted={digits:1.5}", "`permuted` must be null, or a share for each scene", "write permuted={name:0.5}"),
    ("mode=eval", "`mode=eval` needs the folder of a finished run. Found none", "add run=<run folder>"),
    ("run=outputs/x", "`run` goes with mode=eval or mode=verify. Found mode=train", "leave run out"),
    ("+unknown=1", "A key must be known. Found unknown.", "--help"),
    ("+log.evry=1", "A key must be known. Found log.evry.", 'Did you mean "log.every"?'),
    ("+model.dim=7", "A key must be known. Found model.dim.", ""),
    ("~epochs", "A run needs every key. Found no epochs", "leave out"),
    ("~optimizer", "A run needs every key. Found no optimizer", "leave out"),
    ("log=3", "A run needs every key. Found no log.attention", "leave out"),
    ("epochs=${epohcs}", "`epochs` must refer to a key that is there. Found ${epohcs}", "set it"),
    ("seed=1,2", "A key takes one value. Found seed=1,2", "add -m"),
    ("foo", "An override must read key=value. Found foo", "quotes"),
    ("epochs=\t=3", "An override must read key=value. Found epochs=", "quotes"),
    ("+experiment=[a", "An override must read key=value. Found +experiment=[a", "quotes"),
    ("--epochs=3", "A key stands without dashes. Found --epochs=3", "write epochs=…"),
    ("--epochs 3", "A key stands without dashes. Found --epochs", "write epochs=…"),
    ("epochs 3", "An override must read key=value. Found epochs 3", "write epochs=3."),
    ("-m seed 0,1", "An override must read key=value. Found seed 0,1", "write seed=0,1."),
    ("epochs seed=3", "An override must read key=value. Found epochs", "write epochs=…"),
]

TOGETHER = [  # values that are right each by itself
    ("weighting=scene_attention fusion=shared", "Found fusion=shared: choose fusion=interest_guidance"),
    ("weighting=fixed weighting.values=[1]", "`weighting.values` must hold one number for each scene. Found 1 for 2"),
    ("weighting=fixed weighting.values=[0,0]", "`weighting.values` must have one above 0. Found [0, 0]."),
    (
        "weighting=smooth_tchebycheff weighting.reference=[1]",
        "`weighting.reference` must hold one number for each scene.",
    ),
    ("weighting=nash fusion=none", "Found 2 scene(s) and fusion=none: choose another weighting"),
    ("log.conflict=true fusion=none", "Found 2 scene(s) and fusion=none: choose another weighting"),
    ("weighting=aligned dataset.shapes.views=[text]", "Found 1 scene(s) and fusion=interest_guidance"),
    (
        "weighting=aligned weighting.wrt=representation fusion=shared",
        "Found 1 data set(s), fusion=shared: take weighting.wrt",
    ),
    (
        "weighting=aligned weighting.wrt=representation accumulate=2",
        "Found accumulate=2: take weighting.wrt=parameters",
    ),
    (
        "weighting=aligned weighting.wrt=representation dataset=[digits,shapes]",
        "Found 2 data set(s), fusion=interest_g",
    ),
    ("weighting=fair weighting.alpha=0", "`weighting.alpha` must be a number above 0. Found 0."),
    ("schedule.final=2", "`schedule.final` must be a number at least 0 and at most 1. Found 2."),
    ("schedule=exponential schedule.final=0", "`schedule.final` must be a number above 0 and at most 1. Found 0."),
    (
        "schedule=step schedule.milestones=[0.5,2]",
        "`schedule.milestones` must be a list, each of them a number at least 0",
    ),
    ("+optimizer.lrr=1", 'A key must be known. Found optimizer.lrr. Did you mean "optimizer.lr"?'),
    (
        "optimizer.betas=3",
        "`optimizer.betas` must be a list of 2, each of them a number at least 0 and below 1. Found 3.",
    ),
    ("optimizer=sgd optimizer.momentum=0", "`optimizer.nesterov` needs a momentum and no dampening. Found momentum=0"),
    ("optimizer._target_=torch.optim.LBFGS", "Found torch.optim.LBFGS, which evaluates the losses again and again"),
    ("optimizer._target_=torch.optim.SparseAdam", "Found torch.optim.SparseAdam, which takes sparse gradients"),
    ("optimizer=3", "A group takes the name of a choice. Found null or a number"),
    (
        "dim=7 attention.heads=1",
        " for encoder.text=transformer. Found 7: ",
    ),
    (
        "attention=low_rank",
        "`head.generation.self_attention`, with which a decoder reads what it has written, must be causal.",
    ),
    (
        "dataset=[feeds] model=sasrec attention=ridge",
        "`encoder.behaviour.attention` must be causal with causal=true. Found one that cannot: set",
    ),
    (
        "head.generation.attention=null",
        "`head.generation.attention` must be a part, chosen by name",
    ),
    (
        "encoder.image.channels=[32,60]",
        "`encoder.image.groups` must divide each of `encoder.image.channels`. Found groups=8",
    ),
    ("encoder.image.channels=[]", "`encoder.image.channels` must be a list, each of them a whole number at least 1"),
    (
        "dataset=[digits] encoder.image.channels=[8,8,8,8]",
        "Each stage halves a picture. Found 8 pixels in digits and 4",
    ),
    (
        "dataset.shapes.views=[text,text]",
        "`dataset.shapes.views` must be a list without repeats, each of them one of image, text.",
    ),
    (
        "dataset.shapes.views=[sound]",
        "`dataset.shapes.views` must be a list without repeats, each of them one of image, text.",
    ),
    (
        "dataset=[multi30k_de_en,multi30k_en_de] dataset.multi30k_en_de.source=de dataset.multi30k_en_de.target=en",
        "once.",
    ),
    (
        "dataset=[multi30k_de_en] dataset.multi30k_de_en.source=en",
        "`dataset.multi30k_de_en.target` must differ. Found en",
    ),
    ("dataset=[multi30k_de_cs] dataset.multi30k_de_cs.test=test_2017_flickr", "The test files of 2017 have no Czech."),
    ("dataset.shapes.word_drop=0.7 dataset.shapes.word_ambiguity=0.4", "must be at most 1. Found 1.1: lower one."),
    ("dataset=[digits] dataset.digits.test=0.9 dataset.digits.validation=0.2", "must be at most 0.99. Found 1.1"),
    ("dataset=[mnist] dataset.mnist.train=60000", "must be at most 60,000. Found 65,000: lower one."),
    ("augment=[text] augment.text.delete=0.9 augment.text.mask=0.2", "must be at most 1. Found 1.15: lower one."),
    (
        "augment=[image] dataset.shapes.views=[text]",
        "`augment.image` must have a scene of its kind. Found scenes of text",
    ),
    ("normaliser@attention.normaliser=sum", "`attention.normaliser` needs scores that are never below zero."),
    ("pattern@attention.pattern=linear", "`attention.pattern` needs a positive inner product and its plain sum."),
    ("attention=linear attention.dropout=0.1", "`attention.pattern` never forms the weights that would be dropped."),
    ("attention=linear pattern@attention.pattern=predicted_window", "`attention.pattern` lowers scores below zero."),
    (
        "attention=mixed attention@attention.self_attention=multi_head",
        "must have the same number of heads. Found 4 and 1",
    ),
    ("attention=hierarchical attention@attention.word=multi_head", "must have one head each. Found 4 and 1"),
    ("encoder@encoder.image=recurrent ~encoder.text", "A scene needs an encoder of its kind. Found shapes_text"),
    (
        "~head.generation",
        "A scene needs a head of its task. Found shapes_text (text, generation), heads: classification, ranking, regr",
    ),
    ("encoder.text.attention=3", "`encoder.text.attention` must be a part, chosen by name (attention=…). Found 3"),
    ("output_dir=3", "`output_dir` must be text. Found 3."),
    ("rerun=maybe", "`rerun` must be true or false. Found 'maybe'."),
    ("dim=100000000000", "`dim` must be a whole number at least 1 and at most 65536."),
]

BUILT = [  # known only where torch or the data are
    ("precision=fp16 device=cpu", "`precision=fp16` needs a GPU. Found device=cpu: take bf16 or fp32.", CONFIG),
    ("device=cuda:97", "`device` must be there. Found cuda:97", CONFIG),
    ("mode=eval run=nowhere", "`run` must name the folder of a finished run. Found no result.json in nowhere", MISSING),
    ("from=" + "x" * 300, "`from` must name the folder of a finished run. Found no result.json in xxx", MISSING),
    ("output_dir=" + "x" * 300, "A run folder's path must have at most 3,825 bytes, and each name in it", OUTPUT),
    ("dataset=fashion_mnist data_dir=/nowhere", "train-images-idx3-ubyte.gz. Looked in /nowhere", MISSING),
    ("output_dir=file/below", "A run folder must be writable. Found file", OUTPUT),
]


def one_line(text: str) -> str:
    assert "Traceback" not in text
    assert re.fullmatch(r"iamm-train: [^\n]+\n", text), text
    return text


def written(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != "file"]


@pytest.mark.parametrize(("words", "found", "hint"), MISTAKES, ids=[words for words, *_ in MISTAKES])
def test_of_the_configuration(words, found, hint, command, tmp_path):
    answer = command(*words.split(" "))
    assert answer.code == CONFIG
    assert found in one_line(answer.err)
    assert hint in answer.err
    assert answer.out == ""
    assert written(tmp_path) == []


@pytest.mark.parametrize(("words", "found"), TOGETHER, ids=[words for words, _ in TOGETHER])
def test_of_values_together(words, found, command, tmp_path):
    answer = command(*words.split(" "))
    assert found in one_line(answer.err)
    assert (answer.code, answer.out, written(tmp_path)) == (CONFIG, "", [])


@pytest.mark.parametrize(("words", "found", "code"), BUILT, ids=[words for words, *_ in BUILT])
def test_of_the_parts(words, found, code, command, small, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    scenes = small if "dataset=" not in words else ()
    answer = command(*scenes, *words.split(" "))
    assert found in one_line(answer.err)
    assert answer.code == code
    assert answer.out == ""
    assert written(tmp_path) == []


def idx(shape: tuple[int, ...]) -> bytes:
    size = 1
    for length in shape:
        size *= length
    head = bytes([0, 0, 8, len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape)
    return gzip.compress(head + bytes(size))


def test_of_a_truncated_file(command, tmp_path):
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for part, count in (("train", 13), ("t10k", 7)):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx((count, 28, 28)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx((count,)))
    damaged = folder / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-11])
    answer = command("dataset=fashion_mnist", "data_dir=data", "dataset.fashion_mnist.validation=3")
    assert "fashion-mnist/train-images-idx3-ubyte.gz must be a whole gzip file." in one_line(answer.err)
    assert answer.code == BAD
    assert written(tmp_path) == ["data"]


def test_in_a_real_process(process, tmp_path):
    answer = process("attention=additve")
    assert answer.code == CONFIG
    assert 'Did you mean "additive"?' in one_line(answer.err)
    assert (answer.out, written(tmp_path)) == ("", [])


def test_of_one_job_leaves_the_others_of_a_sweep_alone(command, small):
    answer = command("-m", *small, "steps=1", "seed=0,-1")
    assert answer.code == 3
    assert "`seed` must be a whole number" in one_line(answer.err)
    assert len(list(Path("outputs").glob("*/result.json"))) == 1


WITHOUT_TORCH = """
import sys
from iamm.cli.train import main
sys.argv = ["iamm-train", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
sys.exit(97 if "torch" in sys.modules else 0)
"""


@pytest.mark.parametrize("words", ["epohcs=3", "epochs=-1", "attention.heads=3", "dataset=[digts]", "--help"])
def test_without_waiting_for_torch(words):
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, words], capture_output=True, text=True)
    assert done.returncode == 0
    assert len(done.stdout + done.stderr) > 50


def test_every_job_of_a_sweep_is_refused_before_the_first_runs(command, small, tmp_path):
    answer = command("-m", *small, "seed=0,1", "attention=additive,additve")
    assert answer.code == 2
    assert answer.err.startswith("iamm-train: `attention` must be one of its choices. Found additve.")
    assert list(tmp_path.iterdir()) == []
