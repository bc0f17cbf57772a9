from __future__ import annotations

import pytest

from iamm.config.check.run_keys import RUN
from iamm.config.check.scenes import StatedScene, check_sharing, shares
from iamm.config.mistakes import Mistake

SCENES = [StatedScene("a", "image", "classification"), StatedScene("b", "text", "classification")]


@pytest.mark.parametrize("value", ["none", "kind", [["a", "b"]], [["a"], ["b", "c"]]])
def test_what_a_grouping_may_be(value):
    assert RUN["share.head"].holds(value)


@pytest.mark.parametrize("value", ["all", None, 1, True, ["a"], [[]], [[1, 2]], {"a": "b"}])
def test_what_it_may_not(value):
    assert not RUN["share.head"].holds(value)


def test_a_group_of_one_task_may_share_a_head():
    check_sharing({"share": {"encoder": "kind", "head": [["a", "b"]]}}, SCENES)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (
            {"encoder": [["a", "b"]], "head": "none"},
            "share an encoder must have the same kind of inputs, .* a, b to differ",
        ),
        ({"encoder": "none", "head": [["a", "z"]]}, r"`share\.head` must name scenes of the run, a, b\. Found z"),
    ],
)
def test_refuses_what_is_wrong_before_data_are_read(share, words):
    with pytest.raises(Mistake, match=words):
        check_sharing({"share": share}, SCENES)


def test_whether_anything_is_shared():
    assert not shares({"share": {"encoder": "none", "head": "none"}})
    assert shares({"share": {"encoder": "none", "head": "kind"}})
