from __future__ import annotations

from iamm.names import in_order, plain_name, scene_name


def test_names_of_scenes():
    assert [plain_name(text) for text in ("Home & Garden", "dvd", "a.b/c", "Bücher!")] == [
        *("Home_Garden", "dvd", "a_b_c", "Bücher")
    ]
    assert scene_name("shop", "Home & Garden") == "shop_Home_Garden"
    assert scene_name("shop", "") == "shop"


def test_the_order_of_labels():
    assert in_order({"10", "9", "-1", "2.5"}) == ("-1", "2.5", "9", "10")
    assert in_order({"b", "10", "nan", "9"}) == ("10", "9", "b", "nan")
