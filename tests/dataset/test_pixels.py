from __future__ import annotations

import numpy as np

from iamm.dataset.pixels import resized


def test_by_hand():
    step = np.array([[[0, 100], [0, 100]]], np.uint8)
    assert resized(step, (4, 4), colour=False)[0, 0, 0].tolist() == [0, 25, 75, 100]
    assert resized(step, (2, 4), colour=True)[0].tolist() == [[[0, 25, 75, 100]] * 2] * 3
    same = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    assert resized(same, (6, 6), colour=True)[0, 2].tolist() == same[0].tolist()
    flat = np.full((2, 9, 9), 7, np.uint8)
    assert resized(flat, (4, 5), colour=False).tolist() == np.full((2, 1, 4, 5), 7).tolist()


def test_grey_of_colours():
    colours = np.array((10, 20, 40), np.uint8).reshape(1, 3, 1, 1)
    assert resized(colours, (1, 1), colour=False).item() == round(0.299 * 10 + 0.587 * 20 + 0.114 * 40)
