"""One run from a composed configuration: train, evaluate, show."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from iamm.errors import ConfigError
from iamm.report.records import RunFolder, address, read_result


def train_job(config: DictConfig, choices: Mapping[str, Any]) -> None:
    """Train unless this very run is finished already; then show its result."""
    console = Console()
    values: Any = OmegaConf.to_container(config, resolve=True)
    names = (str(choices["model"]), str(choices["dataset"]), f"seed{config.seed}")
    folder = RunFolder(Path(config.output_dir) / address(values, names))
    if folder.finished() and not config.rerun:
        console.print("This run is finished; rerun=true starts it anew.")
        show(console, folder, read_result(folder.path))
        return
    from iamm.cli.training import train

    show(console, folder, train(config, values, choices, folder, console))


def evaluate_job(config: DictConfig) -> None:
    """Evaluate a finished run again, on the same data and threads, and say whether the numbers are the same.

    Raises:
        ConfigError: the run's folder has no configuration.
    """
    console = Console()
    folder = RunFolder(Path(config.run))
    recorded = read_result(folder.path)
    if not folder.config.exists():
        raise ConfigError(f"A run folder must hold its config.yaml. Found none in {folder.path}.")
    trained = OmegaConf.load(folder.config)
    assert isinstance(trained, DictConfig)
    trained.data_dir, trained.device = config.data_dir, config.device
    trained.threads = recorded["threads"]
    from iamm.cli.training import evaluate_again

    measures = evaluate_again(trained, folder)
    show_measures(console, measures)
    same = measures == recorded["test"]
    console.print("The run's own numbers: the same to the last digit." if same else "The run's own numbers differ:")
    if not same:
        show_measures(console, recorded["test"])


def show_measures(console: Console, measures: Mapping[str, Mapping[str, float]]) -> None:
    from iamm.cli.progress import measure_table

    console.print(measure_table("test", measures))


def show(console: Console, folder: RunFolder, result: Mapping[str, Any]) -> None:
    """Test measures, where the run lies, how to look at it."""
    show_measures(console, result["test"])
    told = f"{result['parameters']:,} parameters  {result['seconds']:.1f} s  best epoch {result['best_epoch']}"
    console.print(
        f"{told}  peak memory {result['peak_memory_mib']:.0f} MiB  threads {result['threads']}", highlight=False
    )
    for notice in result["notices"]:
        console.print(f"note: {notice}", soft_wrap=True, highlight=False)
    console.print(f"run folder  {folder.path}", soft_wrap=True, highlight=False)
    console.print(f"look at it  tensorboard --logdir {shlex.quote(str(folder.path))}", soft_wrap=True, highlight=False)
