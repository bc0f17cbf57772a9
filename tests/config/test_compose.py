from __future__ import annotations

import pytest

from iamm.config import compose


@pytest.mark.parametrize(("given", "sweeping", "threads"), [(None, False, 3), (None, True, 1), (5, False, 5)])
def test_a_run_takes_the_processors_that_it_may_use(monkeypatch, given, sweeping, threads):
    monkeypatch.setattr(compose, "processors", lambda: 3)
    tree = {"threads": given, "mode": "train"}
    compose.set_threads(tree, sweeping)
    assert tree["threads"] == threads
