from __future__ import annotations

from iamm.fusion.none import NoneFusion


def test_hands_on_what_it_is_given(features):
    given = features("ab", 5)
    fused = NoneFusion(["a", "b"], 5)(given)
    assert fused.scene_weights is None
    assert list(fused.features) == ["a", "b"]
    assert all(fused.features[name] is given[name] for name in given)


def test_shares_nothing():
    assert list(NoneFusion(["a", "b"], 5).parameters()) == []
