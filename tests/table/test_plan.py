from __future__ import annotations

import pytest

from iamm.table.plan import Column


@pytest.mark.parametrize(
    ("measure", "scale", "lower_is_better"),
    [
        ("accuracy", 100, False),
        ("quality", 100, False),
        ("bleu", 100, False),
        ("loss", 1, True),
        ("perplexity", 1, True),
    ],
)
def test_columns_of_shares_and_of_losses(measure, scale, lower_is_better):
    column = Column("", measure, "a", "both")
    assert (column.scale, column.lower_is_better) == (scale, lower_is_better)
