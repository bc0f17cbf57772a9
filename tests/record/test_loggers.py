"""Loggers of other tools, by stand-ins of their packages, and the scalars as CSV."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from matplotlib.figure import Figure

from iamm.engine.plan import RunState
from iamm.errors import MissingPackageError
from iamm.record.loggers import Loggers, csv_of, require_packages
from iamm.record.recorder import Recorder


class Mlflow(ModuleType):
    """A server that holds what each run was sent."""

    def __init__(self) -> None:
        super().__init__("mlflow")
        self.runs: dict[str, list[tuple]] = {}
        self.experiments: list[str] = []

    def MlflowClient(self, address):
        self.address = address
        return self

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=name) if name in self.experiments else None

    def create_experiment(self, name):
        self.experiments.append(name)
        return name

    def search_runs(self, experiments, text):
        return [SimpleNamespace(info=SimpleNamespace(run_id=name)) for name in self.runs if f"'{name}'" in text]

    def create_run(self, experiment, run_name):
        self.runs[run_name] = []
        return self.search_runs([experiment], f"'{run_name}'")[0]

    def log_metric(self, run, name, value, step):
        self.runs[run].append(("metric", name, value, step))

    def log_artifact(self, run, file, folder):
        self.runs[run].append(("file", file.rpartition("/")[2], folder))

    def log_param(self, run, name, value):
        self.runs[run].append(("param", name, value))

    def set_terminated(self, run):
        self.runs[run].append(("end",))


class Wandb(ModuleType):
    """What `wandb.init` was given, and what its run was sent."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.sent: list[tuple] = []
        self.config = SimpleNamespace(update=lambda values, **options: self.sent.append(("config", values)))

    Settings = staticmethod(dict)
    Image = staticmethod(lambda file: f"image {file.rpartition('/')[2]}")

    def init(self, **options):
        self.options = options
        return self

    def log(self, values, step):
        self.sent.append((values, step))

    def finish(self):
        self.sent.append(("end",))


@pytest.fixture
def mlflow(monkeypatch):
    package = Mlflow()
    monkeypatch.setitem(sys.modules, "mlflow", package)
    return package


@pytest.fixture
def wandb(monkeypatch):
    package = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", package)
    return package


@pytest.fixture
def logged(folder, interval, evaluation):
    """The settings of `log` → a run with them, recorded from its first interval to its end."""

    def record(**log):
        recorder = Recorder(folder, log)
        recorder.trained(interval(2))
        recorder.validated(RunState(step=4, epoch=1, seconds=2.5), evaluation)
        recorder.picture("val/attention/a", Figure(), 4)
        recorder.hparams({"dim": 8, "fusion": "none"})
        recorder.finish()
        recorder.close()
        return folder

    return record


def test_mlflow_gets_what_tensorboard_gets(logged, mlflow, folder):
    logged(mlflow="sqlite:///a.db")
    assert mlflow.address == "sqlite:///a.db"
    sent = mlflow.runs[folder.path.name]
    assert ("metric", "loss/train/a", 0.5, 2) in sent
    assert ("metric", "bleu/val/b", 0.125, 4) in sent
    assert sent[-4:] == [
        ("file", "val-attention-a.png", "pictures"),
        ("param", "dim", 8),
        ("param", "fusion", "none"),
        ("end",),
    ]


def test_mlflow_goes_on_in_the_run_of_the_name(logged, mlflow):
    logged(mlflow="a")
    count = len(next(iter(mlflow.runs.values())))
    logged(mlflow="a")
    assert mlflow.experiments == ["iamm"]
    assert [len(sent) for sent in mlflow.runs.values()] == [2 * count]


def test_wandb_gets_what_tensorboard_gets(logged, wandb, folder):
    logged(wandb="offline")
    assert wandb.options["mode"] == "offline"
    assert wandb.options["dir"] == str(folder.path)
    assert wandb.options["resume"] == "allow"
    (values, step), *_, picture, config, end = wandb.sent
    assert (values["loss/train/a"], step) == (0.5, 2)
    assert picture == ({"val/attention/a": "image val-attention-a.png"}, 4)
    assert config == ("config", {"dim": 8, "fusion": "none"})
    assert end == ("end",)


def test_a_failing_logger_does_not_end_the_training(logged, mlflow, wandb, capsys):
    """MLflow fails at its first metric, and is sent nothing more; W&B goes on."""

    def refuse(*arguments, **options):
        raise ConnectionError("no\nroute")

    mlflow.log_metric = refuse
    logged(mlflow="http://a", wandb="online")
    assert capsys.readouterr().err == "note: log.mlflow gets no more of this run: no route\n"
    assert list(mlflow.runs.values()) == [[]]
    assert wandb.sent[-1] == ("end",)


def test_a_logger_that_cannot_begin(tmp_path, wandb, capsys):
    def refuse(**options):
        raise ValueError("no key")

    wandb.init = refuse
    assert Loggers(tmp_path, {"mlflow": None, "wandb": "online"}).open == {}
    assert "no key" in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    require_packages({"mlflow": None, "wandb": None})
    with pytest.raises(MissingPackageError, match=r"`log\.wandb` needs wandb\. .* pip install 'iamm\[wandb\]'"):
        require_packages({"mlflow": None, "wandb": "offline"})


def test_csv_holds_the_records(logged):
    lines = logged().scalars.read_text().splitlines()
    assert lines[0] == "step,epoch,tag,value"
    assert "2,1,train/loss/a,0.5" in lines
    assert "4,1,val/bleu/b,0.125" in lines
    assert "4,1,time/seconds,2.5" in lines


def test_a_run_that_is_left_has_its_csv_too(folder, interval):
    """Written when it is left, not at each checkpoint."""
    recorder = Recorder(folder)
    recorder.trained(interval(2))
    recorder.state_dict()
    assert not folder.scalars.exists()
    recorder.close()
    assert "2,1,train/loss/a,0.5" in folder.scalars.read_text().splitlines()


def test_csv_of_a_value_that_is_not_finite():
    record = b'{"kind":"val","step":1,"epoch":1,"values":{"a,b":null},"time":{}}\n'
    assert csv_of(record) == 'step,epoch,tag,value\n1,1,"a,b",\n'
    assert csv_of(b"") == "step,epoch,tag,value\n"
