"""Loggers of other tools, which get the scalars, settings and pictures that TensorBoard gets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from iamm.errors import MissingPackageError
from iamm.output import print_mistake

PROJECT = "iamm"
"""The experiment of MLflow, or the project of Weights & Biases."""


class MlflowLogger:
    """MLflow. A run that is resumed goes on in the MLflow run of its name.

    Args:
        folder: of the run.
        address: of a tracking server or a database, such as `sqlite:///mlflow.db`.
    """

    def __init__(self, folder: Path, address: str) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(address)
        experiment = self.client.get_experiment_by_name(PROJECT)
        number = experiment.experiment_id if experiment else self.client.create_experiment(PROJECT)
        earlier = self.client.search_runs([number], f"attributes.run_name = '{folder.name}'")
        self.run = (earlier[0] if earlier else self.client.create_run(number, run_name=folder.name)).info.run_id

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.client.log_metric(self.run, re.sub(r"[^\w./ -]", "_", name), value, step=step)

    def picture(self, name: str, file: Path, step: int) -> None:
        self.client.log_artifact(self.run, str(file), "pictures")

    def settings(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self.client.log_param(self.run, name, value)

    def close(self) -> None:
        self.client.set_terminated(self.run)


class WandbLogger:
    """Weights & Biases. A run that is resumed goes on under its own name.

    Args:
        folder: of the run; offline, the files to be synchronised lie in it.
        mode: online or offline.
    """

    def __init__(self, folder: Path, mode: str) -> None:
        import wandb

        self.image = wandb.Image
        settings = wandb.Settings(console="off", silent=True)
        identity = {"id": folder.name[-64:], "name": folder.name, "resume": "allow"}
        self.run = wandb.init(project=PROJECT, mode=mode, dir=str(folder), settings=settings, **identity)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.run.log(dict(values), step=step)

    def picture(self, name: str, file: Path, step: int) -> None:
        self.run.log({name: self.image(str(file))}, step=step)

    def settings(self, values: Mapping[str, Any]) -> None:
        self.run.config.update(dict(values), allow_val_change=True)

    def close(self) -> None:
        self.run.finish()


Logger = MlflowLogger | WandbLogger
KINDS: Mapping[str, type[Logger]] = {"mlflow": MlflowLogger, "wandb": WandbLogger}
"""Loggers by their keys under `log`; each name that one is given is a tag as in TensorBoard."""


class Loggers:
    """All loggers of a run. One that fails is left out from then on, with a line: a training does not end by it.

    Args:
        folder: of the run.
        log: the configuration's `log`.
    """

    def __init__(self, folder: Path, log: Mapping[str, Any]) -> None:
        self.open: dict[str, Logger] = {}
        for name in chosen(log):
            with self.attempted(name):
                self.open[name] = KINDS[name](folder, log[name])

    def each(self, call: Callable[[Logger], None]) -> None:
        for name, logger in list(self.open.items()):
            with self.attempted(name):
                call(logger)

    @contextmanager
    def attempted(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.open.pop(name, None)
            print_mistake("note", f"log.{name} gets no more of this run: {' '.join(str(error).split())}")


def chosen(log: Mapping[str, Any]) -> list[str]:
    return [name for name in KINDS if log.get(name)]


def require_packages(log: Mapping[str, Any]) -> None:
    """Import the packages of the chosen loggers.

    Raises:
        MissingPackageError: one of them is not installed.
    """
    for name in chosen(log):
        try:
            import_module(name)
        except ImportError as error:
            raise MissingPackageError(
                f"`log.{name}` needs {name}. Found: {error}. Install it with: pip install 'iamm[{name}]'"
            ) from error


def csv_of(records: bytes) -> str:
    """The scalars of records as CSV, a line for each: step, epoch, tag, value, empty where it is not finite."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "epoch", "tag", "value"))
    for record in map(json.loads, records.splitlines()):
        for name, value in {**record.get("values", {}), **record.get("time", {})}.items():  # the end has none
            writer.writerow((record["step"], record["epoch"], name, value))
    return text.getvalue()
