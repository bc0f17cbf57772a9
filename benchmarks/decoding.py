"""CPU time of writing the test sentences of a finished run: greedy, beam search, and greedy without a cache.

    python benchmarks/decoding.py run=outputs/<run folder> beams=4        # one thread

Says whether cached and uncached greedy search wrote the same tokens.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from omegaconf import OmegaConf

from iamm.dataset.vocabulary import BOS, EOS
from iamm.encoder.base import Features
from iamm.engine.checkpoint import load_model
from iamm.engine.collate import collate
from iamm.engine.sampler import evaluation_batches
from iamm.head.decoding import next_token_scores
from iamm.head.text import TextHead, bleu
from iamm.run.build import build_datasets, build_model


@torch.no_grad()
def uncached(head: TextHead, features: Features) -> list[list[int]]:
    """Greedy search that reads the whole beginning again for every token."""
    tokens = torch.full((features.values.shape[0], 1), BOS)
    for _ in range(head.max_length):
        states, _ = head.attended(features, tokens, need_weights=False)
        best = next_token_scores(head.logits(states[:, -1])).argmax(-1, keepdim=True)
        tokens = torch.cat((tokens, best), dim=1)
        if (tokens == EOS).any(dim=1).all():
            break
    return [ids[: ids.index(EOS)] if EOS in ids else ids for ids in tokens[:, 1:].tolist()]


def main() -> None:
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    folder = Path(arguments["run"])
    config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    config["threads"] = 1
    datasets = build_datasets(config)
    model = build_model(config, [scene for dataset in datasets for scene in dataset.scenes])
    load_model(folder / "best.pt", model)
    model.eval()
    for dataset in datasets:
        for scene in dataset.scenes:
            if scene.task == "generation":
                measure(model, dataset, scene, int(arguments.get("beams", 4)))


@torch.no_grad()
def measure(model, dataset, scene, beams: int) -> None:  # type: ignore[no-untyped-def]
    head = model.heads[scene.name]
    batches = [collate(dataset, "test", rows, torch.device("cpu")) for rows in evaluation_batches(dataset, "test")]
    references = [scene.target.decode(ids) for batch in batches for ids in batch[scene.name].targets.tolist()]
    started = time.process_time()
    features = [model.features(batch)[0][scene.name] for batch in batches]
    encoding = time.process_time() - started

    def timed(name: str, write) -> list[list[int]]:  # type: ignore[no-untyped-def]
        started = time.process_time()
        written = [ids for part in features for ids in write(part)]
        seconds = time.process_time() - started
        score, _ = bleu([scene.target.decode(ids) for ids in written], references)
        print(f"{scene.name}  {name:<16} {encoding + seconds:6.2f} CPU s with encoding  BLEU {100 * score:.2f}")
        return written

    head.beams = 1
    cached = timed("greedy", head.write)
    plain = timed("greedy, uncached", lambda part: uncached(head, part))
    head.beams = beams
    timed(f"beam {beams}", head.write)
    same = sum(a == b for a, b in zip(cached, plain, strict=True))
    print(f"{scene.name}  cached and uncached agree, token for token, in {same} of {len(cached)} sentences")


if __name__ == "__main__":
    main()
