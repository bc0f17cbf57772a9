"""A teacher's answers, from which a head learns beside its targets."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class SoftTargets(NamedTuple):
    """α T² KL(p_T ‖ q_T) + (1 − α) L + β/2 |a(f) − a(g)|², p_T = softmax(t / T) of the teacher, q_T = softmax(s / T).

    KL is the mean over the n examples, or tokens, of the loss L (Hinton, Vinyals, Dean 2015, §2, whose T² keeps the
    share of the gradients whatever T is; Kim and Rush 2016, eq. 4, for tokens). a(f) = m / |m| with m_t = Σ_d f_td² is
    the attention of the features f (B, T, D) in front of a head to its places, a(g) that of the teacher's; the squared
    distance is the mean over the examples that have a place (Zagoruyko and Komodakis 2017, eq. 2, with the square of
    the norm). Places behind an example's end are 0 in both.

    Args:
        logits: t (n, C) of the teacher.
        places: a(g) (B, T) of the teacher.
        temperature: T.
        share: α.
        attention: β.
    """

    logits: Tensor
    places: Tensor
    temperature: float
    share: float
    attention: float

    def mixed(self, loss: Tensor, logits: Tensor, values: Tensor) -> Tensor:
        """The loss with the teacher's part.

        Shapes:
            loss: ()
            logits: (n, C), s
            values: (B, T, D), f, 0 where an example has no place
        """
        scaled, teacher = ((each / self.temperature).log_softmax(dim=-1) for each in (logits, self.logits))
        divergence = functional.kl_div(scaled, teacher, reduction="sum", log_target=True) / max(len(logits), 1)
        mixed = self.share * self.temperature**2 * divergence + (1 - self.share) * loss
        if not self.attention:
            return mixed
        distance = (attended_places(values) - self.places).square().sum()
        return mixed + self.attention / 2 * distance / (values != 0).any(dim=2).any(dim=1).sum().clamp(min=1)


def attended_places(values: Tensor) -> Tensor:
    """a (B, T) of features (B, T, D); 0 where all of an example are 0."""
    return functional.normalize(values.square().sum(dim=2), dim=1)
