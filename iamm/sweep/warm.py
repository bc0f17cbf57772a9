"""The imports of every run, done once by the server from which the runs of a sweep are forked."""

from __future__ import annotations

import warnings

import sacrebleu  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch

import iamm.run.training  # noqa: F401

torch.use_deterministic_algorithms(True)  # imports torch's compiler, which takes as long as torch itself
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of TensorBoard's own imports
    import torch.utils.tensorboard
