"""A synthetic log of three feeds, in which each user's taste is the same in all feeds, in part or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, NotNegative, OneOf, Seed, Share
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.behaviour import Sampling, behaviour_datasets
from iamm.dataset.log import HistoryOf, Log, scene_logs
from iamm.memory import require_memory

SCENES = ("news", "video", "shop")
ASPECTS = ("sport", "music", "travel", "food", "science", "fashion")
DAYS = 30
BYTES = 200
"""Bytes of a row while the log is made, beside those of its history."""
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class FeedsDataset(list[Dataset], Constrained):
    """Items that users are shown in the feeds `news`, `video` and `shop`, and click or pass.

        P(click) = σ(κ Σ_a c_sa t_usa(τ) x_ia / √A + b_i − 1),  t_us(τ) = √(1 − δτ) t_us0 + √(δτ) t_us1
        t_us = √ρ t_u + √(1 − ρ) t'_us

    Of user u, t_u are the tastes that all scenes share and t'_us those of scene s alone; x_i are the aspects of item i,
    b_i its appeal and c_s the context: how much an aspect counts in a scene. All are normal, but c_s is log-normal with
    a mean square of 1; b_i has the deviation ½. τ in [0, 1] is the time within 30 days. Users, scenes, items and times
    of the rows are uniform.

    Each scene is a separate data set, with the same users and items. A user's last clicks over all scenes are held out,
    with the items passed before each. The words of an item are its largest aspect and its number.

    Args:
        seed: seed of all random numbers.
        batch_size: rows per step, of each scene.
        scenes: some of the feeds; the rows of a scene do not depend on the other ones.
        users: number of users.
        items: number of items.
        impressions: items that a user is shown, in all three feeds together.
        relatedness: ρ, the correlation of a user's tastes in two scenes.
        drift: δ, the share of a taste's variance that has changed at the end; 0: tastes are constant.
        sharpness: κ, how strongly tastes decide; 0 leaves the appeal alone.
        held_out: number of a user's last clicks for test, and of those before them for validation.
        max_history: the largest number of a user's latest clicks that are read.
        history: the clicks that a history holds: the earlier ones in the same `scene`, in `all` scenes or in the
            `others`; the `whole` of the user's in the others, later ones, too; as a control those of a `stranger`; or,
            as an upper bound, the whole and all other clicks in the scene, held-out ones, too (`oracle`).
        new_users: in place of last clicks, hold out all rows of users who are new in a scene, a tenth of all users for
            validation and a tenth for test, drawn scene by scene. Only an oracle's history holds such rows.
        known: scenes whose clicks the others read, and whose items have a word; None = all. A run with a `target`
            sets it.

    Raises:
        ValueError: an unknown scene; a number out of its range.
        BadDataError: more rows than memory holds.
    """

    impossible: ClassVar = {
        "A user who is new in a scene has a history in other scenes only": (
            {"history": ["scene"], "new_users": [True]},
        ),
    }
    provides = ({"name": "feeds_{scene}", "kind": "behaviour", "task": "ranking"},)

    def __init__(
        self,
        *,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = SCENES,
        users: Count = 400,
        items: Count = 100,
        impressions: Count = 120,
        relatedness: Share = 0.5,
        drift: Share = 0.5,
        sharpness: NotNegative = 3.0,
        held_out: Count = 8,
        max_history: Count = 20,
        history: HistoryOf = "scene",
        new_users: bool = False,
        known: Scenes | None = None,
    ) -> None:
        rows = users * impressions
        size = rows * (BYTES + 32 * max_history)
        require_memory(f"{rows:,} rows of feeds", size, "lower dataset.feeds.users or impressions")
        world = World.drawn(seed, users, items, relatedness, drift, sharpness)
        log, scene = impressions_of(world, random_generator(seed, "feeds", "rows"), impressions)
        inside = {name: scene == SCENES.index(name) for name in scenes}
        logs, splits, histories = scene_logs(
            log,
            inside,
            held_out=held_out,
            history=history,
            new_users=new_users,
            known=known,
            name="feeds",
            seed=seed,
        )
        super().__init__(
            behaviour_datasets(
                "feeds",
                logs,
                splits,
                [f"{ASPECTS[aspect]}_{item}" for item, aspect in enumerate(world.aspects.argmax(axis=1))],
                Sampling(seed, max_history, negatives=0, candidates=0),
                batch_size=batch_size,
                histories=histories,
                known=known,
            )
        )


@dataclass(frozen=True, eq=False)
class World:
    """Users, items and scenes of the log.

    Shapes:
        tastes: (2, S, U, A), at the start and at the end
        aspects: (I, A)
        appeal: (I,)
        contexts: (S, A)
    """

    tastes: np.ndarray
    aspects: np.ndarray
    appeal: np.ndarray
    contexts: np.ndarray
    drift: float
    sharpness: float

    @classmethod
    def drawn(cls, seed: int, users: int, items: int, relatedness: float, drift: float, sharpness: float) -> World:
        generator, aspects = random_generator(seed, "feeds", "world"), len(ASPECTS)
        common = generator.standard_normal((2, 1, users, aspects))
        own = generator.standard_normal((2, len(SCENES), users, aspects))
        tastes = relatedness**0.5 * common + (1 - relatedness) ** 0.5 * own
        contexts = np.exp(generator.standard_normal((len(SCENES), aspects)))
        contexts /= np.sqrt((contexts**2).mean(axis=1, keepdims=True))
        of_items = generator.standard_normal((items, aspects)), 0.5 * generator.standard_normal(items)
        return cls(tastes, *of_items, contexts, drift, sharpness)

    def chance(self, user: np.ndarray, item: np.ndarray, scene: np.ndarray, time: np.ndarray) -> np.ndarray:
        """P(click) of each row; time in [0, 1].  # (N,)"""
        moved = (self.drift * time)[:, None]
        taste = np.sqrt(1 - moved) * self.tastes[0, scene, user] + np.sqrt(moved) * self.tastes[1, scene, user]
        fit = (self.contexts[scene] * taste * self.aspects[item]).sum(axis=1) / len(ASPECTS) ** 0.5
        return 1 / (1 + np.exp(1 - self.appeal[item] - self.sharpness * fit))


def impressions_of(world: World, generator: np.random.Generator, count: int) -> tuple[Log, np.ndarray]:
    """Draw `count` rows of each user in the order of time, as a log and the scene of each row.  # …, (N,)"""
    users = world.tastes.shape[2]
    user, shape = np.repeat(np.arange(users), count), (users, count)
    seconds = np.sort(generator.integers(0, DAYS * 24 * 3600, shape), axis=1).ravel()
    item = generator.integers(0, len(world.aspects), user.size)
    scene = generator.integers(0, len(SCENES), user.size)
    chance = world.chance(user, item, scene, seconds / (DAYS * 24 * 3600))
    return Log(user, item, generator.random(user.size) < chance, seconds), scene
