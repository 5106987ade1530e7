import pytest

from shop import points
from shop.lazy import ANSWER
from shop.left import ping
from shop.speed import speed
from shop.stars import core, outer


def test_late_import():
    from shop.legacy import old_price

    assert old_price() == 11


def test_entry_point():
    assert points.load("shop.codecs", "json")(3) == "<3>"


def test_attribute_of_a_module_on_demand():
    assert ANSWER == 42


def test_circle():
    assert ping(3) == ["ping", "pong", "ping"]


def test_faster_module():
    assert speed() == "slow"


def test_star_imports():
    assert outer() == 2 and core() == 1


def test_what_a_star_import_leaves_out():
    import shop.stars

    assert not hasattr(shop.stars, "hidden")


def test_path_that_a_conftest_adds():
    from toolbox import tool

    assert tool() == "hammer"


def test_script_run_by_its_path():
    import runpy

    assert runpy.run_path("scripts/job.py")["job"]() == 42


def test_steps_that_register_themselves():
    from shop.steps import load_all

    assert sorted(load_all()) == ["brew"] and load_all()["brew"]() == "tea"


def test_effect_of_an_import_elsewhere():
    from shop.rates import LIMITS

    assert LIMITS["extra"] == 3


def test_replaced_by_its_name(monkeypatch):
    from shop.net import title

    monkeypatch.setattr("shop.net.fetch", lambda url: url + "!")
    assert title("a") == "A!"


def test_missing_import_is_skipped():
    pytest.importorskip("shop.legacy")
