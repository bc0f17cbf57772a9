"""A log that says who met the target's items, and not how they liked them."""

from __future__ import annotations

from iamm.dataset.base import Split
from iamm.dataset.vocabulary import UNKNOWN
from iamm.model.scene_network import SceneNetwork
from iamm.model.sharing import pooled
from iamm.transfer.base import Material, Transfer


class UnlabelledLogTransfer(Transfer):
    """What the target's encoder knows of items is computed anew, from the known scenes and the target's log.

    The log is the target's training examples without labels: their users and candidates. Of a feed or a genre that
    nobody has judged yet it says which items are popular, and which ones the same users meet. Nothing is trained. The
    items need ids (`catalogue=true` in the data set), and a negative that is drawn would count as met (`negatives=0`).

    Source: Hu, Koren and Volinsky 2008, §2 (what was watched says something, whatever its watchers thought of it).
    """

    reads_labels = False
    reads_unlabelled = True

    def check(self, model: SceneNetwork, material: Material) -> None:
        encoder = model.encoder(material.name)
        if not encoder.reads_logs:
            raise ValueError(
                f"A log without labels needs an encoder that learns of items from it. Found {type(encoder).__name__}: "
                "choose model=gaussian_process, or another transfer."
            )
        if (log_of(material).inputs["candidate"] == UNKNOWN).all():
            raise ValueError(
                f"A log tells items apart by their ids. Found no item of {material.name} with one: "
                "set catalogue=true in the data set."
            )

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        encoder = model.encoder(material.name)
        scenes = [scene for dataset in material.known for scene in dataset.scenes]
        alike = [scene for scene in scenes if model.encoder(scene.name) is encoder]
        encoder.learn_items(pooled(alike, "encoder").splits["train"], log_of(material))


def log_of(material: Material) -> Split:
    return material.target.scenes[0].splits["unlabelled"]
