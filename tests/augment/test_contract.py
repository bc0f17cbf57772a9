"""What every augmentation promises, over every choice in configs/augment."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from iamm.augment.base import Augment

CONFIGS = Path(__file__).parents[2] / "configs"
CHOICES = sorted(path.stem for path in (CONFIGS / "augment").glob("*.yaml"))
VOCABULARY = 101
SCENE = SimpleNamespace(name="texts", source=range(VOCABULARY))  # what is read of one
STRONG = {
    "crop": 3,
    "padding": "reflect",
    "rotate": 30.0,
    "synonyms": None,
}  # else a share of ½


def config(choice: str):
    return OmegaConf.load(CONFIGS / "augment" / f"{choice}.yaml")[choice]


def strong(choice: str) -> Augment:
    names = [name for name in config(choice) if name != "_target_"]
    share = 0.5 if choice == "image" else 0.3
    return instantiate(config(choice), **{name: STRONG.get(name, share) for name in names})


def inputs(kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    if kind == "image":
        return torch.rand(23, 3, 11, 13, generator=generator)
    ids = torch.randint(1, VOCABULARY, (23, 17), generator=generator)
    return ids.masked_fill(torch.arange(17) >= torch.randint(1, 18, (23, 1), generator=generator), 0)


def call(augment: Augment, rows: Tensor, *, seed: int = 1, epoch: int = 2) -> Tensor:
    """The examples with these rows; 100 + row stands for the row in the data set."""
    return augment(inputs(augment.kind)[rows], 100 + rows, seed=seed, epoch=epoch, scene=SCENE)


def assert_same_examples(found: Tensor, expected: Tensor) -> None:
    """To the last bit; texts may be padded to other widths."""
    if found.dim() == 2:
        width = max(found.shape[1], expected.shape[1])
        found, expected = (torch.nn.functional.pad(ids, (0, width - ids.shape[1])) for ids in (found, expected))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.fixture(params=CHOICES)
def choice(request: pytest.FixtureRequest) -> str:
    return request.param


def test_both_kinds_are_there() -> None:
    assert {"image", "text"} <= set(CHOICES)


def test_defaults_of_file_and_class_agree(choice: str) -> None:
    """One key, the file's name; the class is for that kind; the defaults are those of the class."""
    loaded = OmegaConf.load(CONFIGS / "augment" / f"{choice}.yaml")
    assert list(loaded) == [choice]
    augment = instantiate(config(choice))
    assert augment.kind == choice
    defaults = {name: part.default for name, part in inspect.signature(type(augment)).parameters.items()}
    assert {name: value for name, value in config(choice).items() if name != "_target_"} == defaults


def test_composes_alone_together_and_not_at_all() -> None:
    with initialize_config_dir(str(CONFIGS), version_base=None):
        assert set(compose(overrides=["+augment=[image,text]"]).augment) == {"image", "text"}
        assert set(compose(overrides=["+augment=text"]).augment) == {"text"}
        assert "augment" not in compose(overrides=["+augment=[]"])
        assert compose(overrides=["+augment=image", "augment.image.crop=4"]).augment.image.crop == 4


def test_zero_strengths_return_the_same_tensor(choice: str) -> None:
    names = [name for name, value in config(choice).items() if isinstance(value, (int, float))]
    augment = instantiate(config(choice), **dict.fromkeys(names, 0))
    batch = inputs(choice)
    assert augment(batch, torch.arange(len(batch)), seed=1, epoch=2, scene=SCENE) is batch


def test_changes_most_examples_and_leaves_the_input_alone(choice: str) -> None:
    batch = inputs(choice)
    found = strong(choice)(batch, torch.arange(len(batch)), seed=1, epoch=2, scene=SCENE)
    torch.testing.assert_close(batch, inputs(choice), rtol=0, atol=0)
    assert found.dtype == batch.dtype
    width = min(found.shape[-1], batch.shape[-1])
    assert (found[..., :width] != batch[..., :width]).flatten(1).any(dim=1).sum() > 15


def test_batch_mates_size_and_order_do_not_matter(choice: str) -> None:
    augment = strong(choice)
    whole = call(augment, torch.arange(23))
    order = torch.randperm(23, generator=torch.Generator().manual_seed(7))
    assert_same_examples(call(augment, order), whole[order])
    for rows in (torch.tensor([4]), torch.tensor([22, 0, 4]), torch.arange(1, 23), torch.tensor([6, 6, 6, 6, 6])):
        assert_same_examples(call(augment, rows), whole[rows])


def test_no_global_random_state_is_read_or_moved(choice: str) -> None:
    augment, rows, found = strong(choice), torch.arange(23), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        found.append(call(augment, rows))
        torch.testing.assert_close(torch.get_rng_state(), before[0])
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert_same_examples(*found)


@pytest.mark.parametrize("other", [{"seed": 2}, {"epoch": 3}])
def test_another_seed_or_epoch_is_another_batch(choice: str, other: dict) -> None:
    augment, rows = strong(choice), torch.arange(23)
    one, two = call(augment, rows), call(augment, rows, **other)
    width = min(one.shape[-1], two.shape[-1])
    assert (one[..., :width] != two[..., :width]).flatten(1).any(dim=1).sum() > 15


def test_another_row_is_another_draw(choice: str) -> None:
    """Equal examples at different rows part ways."""
    batch = inputs(choice)[:1].expand(23, *inputs(choice).shape[1:])
    found = strong(choice)(batch, torch.arange(23), seed=1, epoch=2, scene=SCENE)
    assert found.unique(dim=0).shape[0] > 15


def test_an_empty_batch_stays_empty(choice: str) -> None:
    none = torch.empty(0, dtype=torch.int64)
    assert len(call(strong(choice), none)) == 0


def test_refuses_an_index_of_another_length(choice: str) -> None:
    with pytest.raises(ValueError, match=r"`index` needs one row an example. Found \(22,\) for 23 examples"):
        strong(choice)(inputs(choice), torch.arange(22), seed=1, epoch=2, scene=SCENE)
