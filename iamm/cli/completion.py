"""Shell completion of the word at the cursor, from the YAML files without Hydra.

`eval "$(iamm-train --completion=bash)"` defines a function that calls `iamm-train --complete` at each TAB.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from iamm.config.check.run_keys import RUN
from iamm.config.check.statements import statements
from iamm.config.groups import choices, configs_folder, dotted_keys, groups, heading, keys_of, known_keys, slots
from iamm.constraints import choices_of
from iamm.errors import ConfigError, nearest

OPTIONS = (
    *("--help", "--multirun", "--summary", "--cfg", "--config-dir", "--resolve", "--package", "--info"),
    "--completion=",
)
AFTER = {"--cfg": ("job", "hydra", "all"), "-c": ("job", "hydra", "all")}
TABLE = "iamm-table"
BASH = """_iamm_complete() {
    local line=${COMP_LINE:0:COMP_POINT} word found
    word=${line##*[[:blank:]]}
    local cut=${word%"${word##*["$COMP_WORDBREAKS"]}"}
    COMPREPLY=()
    while IFS= read -r found; do
        COMPREPLY+=("${found#"$cut"}")
    done < <("$1" --complete "$line" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[=.,/] || $word == *[[,]* ]] && compopt -o nospace
    return 0
}
complete -F _iamm_complete iamm-train iamm-table"""
ZSH = """_iamm_complete() {
    local -a before=(${(Q)words[1,CURRENT-1]})
    local -a found=("${(@f)$($words[1] --complete "$before ${(Q)PREFIX}" 2>/dev/null)}")
    compadd -U -S '' -- ${found:#}
}
compdef _iamm_complete iamm-train iamm-table"""
SCRIPTS = {"bash": BASH, "zsh": ZSH}


def answer(words: Sequence[str]) -> int:
    """Print the answer to a shell; return the exit code.

    Args:
        words: `--complete LINE`, LINE up to the cursor, or `--completion=SHELL`.

    Raises:
        ConfigError: the shell is unknown.
    """
    option, _, shell = words[0].partition("=")
    if option == "--complete":
        print("".join(f"{each}\n" for each in completed(words[1] if len(words) > 1 else "")), end="")
        return 0
    shell = shell or (words[1] if len(words) > 1 else "")
    if shell not in SCRIPTS:
        raise ConfigError(f"`--completion` knows some shells. Found {shell or 'none'}. {nearest(shell, SCRIPTS)}")
    print(SCRIPTS[shell])
    return 0


def completed(line: str) -> list[str]:
    """The completions of the last word of a command line, in alphabetical order.

    Args:
        line: up to the cursor.
    """
    before, word = line.split(), ""
    if before and not line[-1].isspace():
        word = before.pop()
    table = bool(before) and Path(before[0]).name == TABLE
    if before and before[-1] in AFTER:
        candidates: Iterable[str] = AFTER[before[-1]]
    elif before and before[-1] in ("--config-dir", "-cd"):
        candidates = folders(word)
    elif not table and word.startswith(("run=", "from=")):
        candidates = run_folders(word)
    elif "=" in word and not word.startswith("--"):
        candidates = with_value(word, before)
    elif word.startswith("-"):
        candidates = OPTIONS
    else:
        candidates = table_keys() if table else keys(word, before)
    return sorted({each for each in candidates if each.startswith(word)})


def folders(word: str) -> list[str]:
    above = Path(word).parent if word and not word.endswith("/") else Path(word or ".")
    try:
        inside = [path.name for path in above.iterdir() if path.is_dir()]
    except OSError:
        return []
    stem = word[: len(word) - len(os.path.basename(word))]
    return [f"{stem}{name}/" for name in inside]


def run_folders(word: str) -> list[str]:
    """The word with each finished run below `outputs`, or below the folder that is written already."""
    key, _, path = word.partition("=")
    folder = os.path.dirname(path) or "outputs"
    return [f"{key}={result.parent}" for result in Path(folder).glob("*/result.json")]


def config_dir(before: Sequence[str]) -> Path | None:
    """The folder that `--config-dir` names."""
    for word, following in zip(before, [*before[1:], ""], strict=True):
        if word in ("--config-dir", "-cd"):
            return Path(following)
        if word.startswith("--config-dir="):
            return Path(word.partition("=")[2])
    return None


def names(group: str, before: Sequence[str]) -> tuple[str, ...]:
    """All choices of a group, including those of `--config-dir`."""
    folder = config_dir(before)
    added = [file.stem for file in (folder / group).glob("*.yaml")] if folder else []
    return (*(choices(group) if group in groups() else ()), *added)


def keys(word: str, before: Sequence[str]) -> list[str]:
    """Possible beginnings of an override: groups and keys; nested keys only after their group is written."""
    sign = word[: len(word) - len(word.lstrip("+~"))]
    if sign == "+":
        return [heading("experiment")]
    inside = [key for key in known_keys() if "." in key and applies(key, before)]
    inside += keys_of_added(before)
    single = [key for key in dotted_keys(configs_folder() / "train.yaml") if "." not in key]
    outer = {key.split(".")[0] for key in inside}
    places = [group if group == place else f"{group}@{place}" for group, place in slots()]
    parts = [heading(group).rstrip("=") for group in groups() if "@" in heading(group)]
    groups_and_keys = [f"{key}=" for key in {*single, *places, *parts, "model"} - (outer - {*places})]
    return [sign + each for each in (*groups_and_keys, *(shortened(key, len(word)) for key in inside))]


def shortened(key: str, written: int) -> str:
    """The key up to the next dot after the written part, or the whole key."""
    dot = key.find(".", written)
    return f"{key}=" if dot < 0 else key[: dot + 1]


def applies(key: str, before: Sequence[str]) -> bool:
    """Whether the key belongs to the choice made earlier for its group, if any."""
    chosen = taken(before)
    for group, place in slots():
        choice = chosen.get(group if group == place else f"{group}@{place}")
        if key.startswith(f"{place}.") and choice in choices(group):
            return key.removeprefix(f"{place}.") in keys_of(group, choice)
    return True


def taken(before: Sequence[str]) -> dict[str, str]:
    """The keys and values that the earlier words set."""
    return dict(word.lstrip("+").split("=", 1) for word in before if "=" in word and not word.startswith("-"))


def keys_of_added(before: Sequence[str]) -> Iterator[str]:
    """The keys of earlier choices from `--config-dir`."""
    folder, chosen = config_dir(before), taken(before)
    for group, place in slots() if folder else ():
        name = chosen.get(group if group == place else f"{group}@{place}", "")
        if folder and (file := folder / group / f"{name.strip('[]')}.yaml").is_file():
            yield from (f"{place}.{key}" for key in dotted_keys(file))


def table_keys() -> list[str]:
    return [f"{key}=" for key in ("table", *dotted_keys(configs_folder() / "table.yaml"))]


def with_value(word: str, before: Sequence[str]) -> list[str]:
    """The word with each value that its key can take; after a comma or in a list, with one more."""
    key, _, value = word.partition("=")
    prefix = value[: max(value.rfind(","), value.rfind("[")) + 1]
    listed = prefix.replace("[", ",").split(",")
    return [f"{key}={prefix}{name}" for name in values_of(key.lstrip("+"), before) if name not in listed]


def values_of(key: str, before: Sequence[str]) -> Iterable[str]:
    """The choices of a group, or the words that a key's constraint allows."""
    if options := names(key.split("@")[0], before):
        return options
    if key in RUN or "." not in key:
        return choices_of(RUN.get(key)) or (("true", "false") if is_switch(key) else ())
    place, _, last = key.rpartition(".")
    rules = (statements(target).arguments.get(last) for target in targets_at(place, before))
    return next((words for rule in rules if (words := choices_of(rule))), ())


def targets_at(place: str, before: Sequence[str]) -> Iterator[str]:
    """The classes possible at a place: those of its group's choices, or that of a choice named by it."""
    places, last = {slot: group for group, slot in slots()}, place.rpartition(".")[2]
    group = places.get(place) or (last if last in groups() else place.split(".")[0])
    for root in (configs_folder(), config_dir(before)):
        for file in sorted((root / group).glob("*.yaml")) if root else ():
            if place in places or last in (group, file.stem) or root == config_dir(before):
                yield from re.findall(r"^ *_target_: (\S+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)


def is_switch(key: str) -> bool:
    """Whether train.yaml or table.yaml has a switch of this name."""
    texts = [(configs_folder() / name).read_text(encoding="utf-8") for name in ("train.yaml", "table.yaml")]
    return any(re.search(rf"^{re.escape(key)}: (true|false)\b", text, flags=re.MULTILINE) for text in texts)
