from shop import families, hiding, keeping, ordered, registers


def test_last_step():
    assert ordered.LAST == "pour"


def test_order_of_what_registers_itself():
    assert [function() for function in registers.EVERY] == ["wake", "rise"]


def test_name_in_a_table():
    assert registers.is_known("tea")


def test_name_of_a_class():
    assert registers.is_size("large")


def test_measures():
    assert hiding.measures() == (1, 2, 3)


def test_kept_in_a_class():
    assert keeping.Keeper.get("tea") == 3


def test_kept_in_a_class_again():
    assert keeping.Keeper.get("tea") + 1 == 4


def test_only_one():
    assert keeping.Only.get().value == 5


def test_only_one_again():
    assert keeping.Only.get().value + 1 == 6


def test_kept_in_a_default():
    assert keeping.in_a_default("tea") == 3


def test_kept_in_a_default_again():
    assert keeping.in_a_default("tea") + 1 == 4


def test_kept_by_a_decorator():
    assert keeping.twice("tea") == 6


def test_kept_by_a_decorator_again():
    assert keeping.twice("tea") + 1 == 7


def test_legs():
    assert families.Dog.legs == 4


def test_kinds():
    assert families.kinds() == ["Dog"]
