"""The target's own statistics in the places of batch norm."""

from __future__ import annotations

import torch

from iamm.engine.collate import all_batches
from iamm.engine.freezing import batch_norms
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer


class BatchNormTransfer(Transfer):
    """μ and σ² of every batch norm of the target's encoder become those of the target: AdaBN (Li et al. 2016, alg. 1).

    It reads the target's inputs without labels, in batches of 250; μ and σ² are the means of theirs, and each layer
    reads what the layers before it give in that batch. No parameter changes. Scenes that share the encoder get these
    statistics too, where the source has its own for each.
    """

    reads_labels = False
    reads_unlabelled = True

    def check(self, model: SceneNetwork, material: Material) -> None:
        encoder = model.encoder(material.name)
        if not batch_norms(encoder.modules()):
            raise ValueError(
                f"Statistics of the target need an encoder with batch norm. Found {type(encoder).__name__} without: "
                "choose encoder@encoder.image=whitened, or another transfer."
            )

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        model.train(False)
        encoder = model.encoder(material.name)
        norms = batch_norms(encoder.modules())
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over batches
            norm.train()
        with torch.no_grad():
            for batch in all_batches([material.target], "unlabelled", material.device):
                part = batch[material.name]
                present = part.present
                encoder({name: values[present] for name, values in part.inputs.items()}, present[present])
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.train(False)
