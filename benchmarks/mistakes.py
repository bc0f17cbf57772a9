"""Mistakes drawn from the project's own configurations: is each refused before torch, with the right advice?

python benchmarks/mistakes.py [seed] [count]
Prints, for each kind of mistake, how many are refused without torch and with exit code 2, and for misspelt words how
many first suggestions are the word that was meant; then every one that is not.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from iamm.cli.train import main
from iamm.config.check.run_keys import RUN, leaves
from iamm.config.check.statements import arguments
from iamm.config.composer import Composer
from iamm.config.groups import choices, groups, known_keys, slots
from iamm.config.sources import Sources
from iamm.constraints import Constraint, choices_of

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
LEAST = 4  # letters of a word that is misspelt: of shorter ones too little is left
WRONG = (
    "abc",
    "-1",
    "-0.5",
    "0",
    "2.5",
    "null",
    "true",
    "[]",
    "[1,2]",
    "{a: 1}",
    "''",
    "1e400",
    "nan",
    "10000000000000",
)
NAMED = {"dataset": "dataset=[{}]", "augment": "augment=[{}]", "experiment": "+experiment={}"}
TOGETHER = (  # (words, keys whose values are drawn)
    "dim={odd} attention.heads=1",
    "attention={many} attention.heads={odd} dim={even}",
    "weighting=fixed weighting.values=[{share}]",
    "weighting=smooth_tchebycheff weighting.reference=[{share},{share},{share}]",
    "weighting={gradient} fusion=none",
    "weighting={gradient} dataset=[digits]",
    "weighting={gradient} weighting.wrt=representation fusion=shared",
    "weighting={gradient} weighting.wrt=representation accumulate={even}",
    "weighting={gradient} weighting.wrt=representation dataset=[digits,reviews]",
    "weighting=scene_attention fusion={flat}",
    "log.conflict=true dataset=[reviews] seed={even}",
    "attention=low_rank dataset=[shapes] seed={even}",
    "attention=linear attention.dropout={share}",
    "pattern@attention.pattern=linear seed={even}",
    "normaliser@attention.normaliser=sum seed={even}",
    "attention=hierarchical attention@attention.word={many}",
    "attention=mixed attention@attention.self_attention={many}",
    "encoder.image.groups={even} encoder.image.channels=[{odd}]",
    "dataset=[digits] encoder.image.channels=[8,8,8,8] seed={even}",
    "optimizer=sgd optimizer.momentum=0 seed={even}",
    "dataset.shapes.word_drop=0.9 dataset.shapes.word_ambiguity={share}",
    "dataset=[mnist] dataset.mnist.validation=60000 seed={even}",
    "augment=[text] dataset=[digits] seed={even}",
    "mode=eval seed={even}",
    "log.attention=true log.pictures=0 seed={even}",
    "dataset=[multi30k_de_en] dataset.multi30k_de_en.target=de seed={even}",
)


class Mistake(NamedTuple):
    """A command line that cannot be right; what was meant, where a word was misspelt."""

    kind: str
    words: str
    meant: str | None = None


class TorchError(BaseException):
    """torch was asked for."""


class NoTorch:
    def find_spec(self, name: str, *_: Any) -> None:
        if name == "torch":
            raise TorchError


def misspelt(word: str, draw: random.Random) -> str:
    """One slip: two letters swapped, one left out, doubled, or the key beside it struck."""
    places = [place for place, letter in enumerate(word) if letter.isalpha()]
    place = draw.choice(places)
    letter, after = word[place], word[place + 1 : place + 2]
    row = next(row for row in ROWS if letter.lower() in row)
    beside = row[max(row.index(letter) - 1, 0) : row.index(letter) + 2].replace(letter, "")
    slips = [
        after + letter + word[place + 2 :],
        word[place + 1 :],
        letter + word[place:],
        draw.choice(beside) + word[place + 1 :],
    ]
    return word[:place] + draw.choice(slips)


def slip(word: str, known: set[str], draw: random.Random) -> str:
    while (found := misspelt(word, draw)) in known or found == word or not re.fullmatch(r"[a-z]\w*(\.\w+)*", found):
        pass
    return found


def keys(draw: random.Random) -> tuple[list[str], dict[str, Any]]:
    """Words that choose something, and every key of what is composed of them."""
    group = draw.choice(["experiment", "weighting", "schedule", "fusion", "attention", "dataset", "optimizer"])
    choice = draw.choice(choices(group))
    words = [NAMED.get(group, f"{group}={{}}").format(choice)]
    tree, _ = Composer(Sources()).compose(words)
    found = {path: value for path, key, value in leaves(tree) if not key.startswith("_")}
    return words, found


def typed(value: Any) -> str:
    return "null" if value is None else json.dumps(value, separators=(",", ":")) if not isinstance(value, str) else "x"


def wrong_key(draw: random.Random) -> Mistake:
    words, found = keys(draw)
    path = draw.choice([path for path in found if len(path.split(".")[-1]) >= LEAST])
    head, _, last = path.rpartition(".")
    told = f"{head}.{slip(last, {key.split('.')[-1] for key in known_keys()}, draw)}".lstrip(".")
    return Mistake("key", " ".join([*words, f"{told}={typed(found[path])}"]), path)


def wrong_group(draw: random.Random) -> Mistake:
    group = draw.choice([group for group, place in slots() if group == place])
    return Mistake("group", f"{slip(group, set(groups()), draw)}={draw.choice(choices(group))}", group)


def wrong_choice(draw: random.Random) -> Mistake:
    group = draw.choice(
        [group for group in groups() if group not in ("table", "encoder", "head", "score", "pattern", "normaliser")]
    )
    choice = draw.choice([name for name in choices(group) if len(name) >= LEAST - 1])
    told = slip(choice, set(choices(group)), draw)
    return Mistake("choice", NAMED.get(group, f"{group}={{}}").format(told), choice)


def ruled(draw: random.Random) -> tuple[list[str], str, Constraint]:
    """Words, a key and its rule."""
    while True:
        words, found = keys(draw)
        path = draw.choice(list(found))
        tree: Any = Composer(Sources()).compose(words)[0]
        for part in path.split(".")[:-1]:
            tree = tree[part]
        rule = arguments(tree).get(path.split(".")[-1]) or RUN.get(path)
        if rule is not None:
            return words, path, rule


def wrong_word(draw: random.Random) -> Mistake:
    while True:
        words, path, rule = ruled(draw)
        known = choices_of(rule)
        long = [word for word in known if len(word) >= LEAST]
        if long:
            word = draw.choice(long)
            return Mistake("word", " ".join([*words, f"{path}={slip(word, set(known), draw)}"]), word)


def wrong_value(draw: random.Random) -> Mistake:
    """Of another type, or out of range."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    while True:
        words, path, rule = ruled(draw)
        word = f"{path}={draw.choice(WRONG)}"
        value: Any = OverridesParser.create().parse_override(word).value()
        if not rule.holds(value):
            return Mistake("value", "\0".join([*words, word]))


def wrong_together(draw: random.Random, text: str) -> Mistake:
    gradient = [name for name in choices("weighting") if "at: parameters" in weighting_text(name)]
    drawn = {
        "odd": draw.choice((7, 11, 13, 17)),
        "even": draw.choice((2, 4, 6, 8)) * 2,
        "share": round(draw.uniform(0.15, 0.9), 2),
        "gradient": draw.choice(gradient),
        "flat": draw.choice(("none", "shared", "cross_scene_attention")),
        "many": draw.choice(("multi_head", "local", "sparsemax", "top_k")),
    }
    return Mistake("together", text.format(**drawn))


def weighting_text(name: str) -> str:
    from iamm.config.groups import configs_folder

    return (configs_folder() / "weighting" / f"{name}.yaml").read_text(encoding="utf-8")


def drawn(seed: int, count: int) -> Iterator[Mistake]:
    """As many of each kind, all different."""
    draw = random.Random(seed)
    kinds = (wrong_key, wrong_group, wrong_choice, wrong_word, wrong_value)
    seen: set[str] = set()
    for place in range(count):
        while True:
            kind = place % (len(kinds) + 1)
            mistake = kinds[kind](draw) if kind < len(kinds) else wrong_together(draw, draw.choice(TOGETHER))
            if mistake.words not in seen:
                break
        seen.add(mistake.words)
        yield mistake


def answer(words: list[str]) -> tuple[int | None, str]:
    """Exit code, None where torch was asked for or something else went wrong, and what was said."""
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    sys.argv = ["iamm-train", *words]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main()
        except SystemExit as left:
            return int(left.code or 0), said.getvalue()
        except TorchError:
            return None, "torch was imported"
        except Exception as error:
            return None, repr(error)
    return 0, said.getvalue()


def run(seed: int = 0, count: int = 200) -> None:
    sys.meta_path.insert(0, NoTorch())
    table: dict[str, list[bool]] = {}
    advice: dict[str, list[bool]] = {}
    misses = []
    for mistake in drawn(seed, count):
        words = mistake.words.split("\0") if "\0" in mistake.words else mistake.words.split(" ")
        code, said = answer(words)
        table.setdefault(mistake.kind, []).append(code == 2)
        if mistake.meant is not None:
            first = re.findall(r'Did you mean "(.+?)"', said)[:1]
            advice.setdefault(mistake.kind, []).append(first == [mistake.meant])
        if code != 2 or (mistake.meant is not None and not advice[mistake.kind][-1]):
            misses.append(f"{code} {' '.join(words)}  (meant {mistake.meant})\n      {said.strip()[:200]}")
    for kind, refused in table.items():
        told = f", first suggestion right {sum(advice[kind])} of {len(advice[kind])}" if kind in advice else ""
        print(f"{kind:<9} refused before torch, exit code 2: {sum(refused)} of {len(refused)}{told}")
    total, right = sum(map(sum, table.values())), sum(map(sum, advice.values()))
    print(f"all       {total} of {count}; first suggestion right {right} of {sum(map(len, advice.values()))}")
    print("\n".join(misses))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run(*(int(word) for word in sys.argv[1:]))
