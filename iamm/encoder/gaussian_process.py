"""Behaviours → what a Gaussian process over films and times expects of the candidate, by the values in the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iamm.constraints import Count, NotNegative, Positive
from iamm.dataset.base import Scene, Split
from iamm.dataset.vocabulary import PAD, UNKNOWN
from iamm.encoder.base import Encoder, Features

LEVEL = 2
"""Channels beside those of the items' vectors."""
