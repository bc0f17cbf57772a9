"""The dot-product score."""

from __future__ import annotations

from iamm.score.base import InnerProductScore


class DotProductScore(InnerProductScore):
    """s(q, k) = qᵀk, without parameters.

    Scores grow with the width, and a softmax sharpens with them; `scaled_dot_product` corrects that.

    Source: Luong, Pham and Manning 2015, §3.1, "dot"; D0 §4.2 weighs the scenes in this form, w_i = softmax_i(qᵀx_i).
    """

    keys_as_they_are = True
