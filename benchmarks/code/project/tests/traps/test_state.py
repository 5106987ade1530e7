import asyncio
import pickle
from pathlib import Path

import pytest

from shop import environment, mail
from shop.actions import ACTIONS, act
from shop.early import size
from shop.memo import remembered
from shop.pool import doubled
from shop.show import show

HERE = Path(__file__).parent


def test_functions_in_a_dictionary():
    assert act("add", 1, 2) == 3


def test_names_of_actions():
    assert sorted(ACTIONS) == ["add", "take"]


def test_file_of_variables():
    assert environment.mode() == "test"


def test_flag_file_is_not_there():
    assert not environment.beta()


def test_default_computed_early():
    assert size() == 5


def test_cache_by_hand():
    assert remembered("tea") == 3


def test_cache_by_hand_again():
    assert remembered("tea") + 1 == 4


def test_file_of_the_package():
    assert mail.mail("ann") == "Hello ann"


def test_spawned_process():
    assert doubled(4) == [8]


def test_generic_function():
    assert show(1) == "int 1"


def test_generic_function_of_another_module():
    import shop.show_more  # noqa: F401

    assert show([1]) == "list int 1"


def test_inputs_in_a_folder():
    assert sum(int(path.read_text()) for path in HERE.glob("inputs/*.txt")) == 3


def test_pickle():
    assert pickle.loads((HERE / "data" / "model.pkl").read_bytes()).predict() == 8


def test_version_file():
    assert (HERE.parents[1] / "shop" / "VERSION").read_text() == "1.4\n"


@pytest.fixture
def answer():
    async def ask():
        return 5

    return asyncio.run(ask())


def test_fixture_that_awaits(answer):
    assert answer == 5


def test_source(source):
    assert source in ("web", "disk")


def test_plugged(plugged):
    assert plugged == 9


def test_who(who):
    assert who == "traps"


def test_teardown(opened):
    assert opened == ["open"]
