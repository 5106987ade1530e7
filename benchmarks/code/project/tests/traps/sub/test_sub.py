def test_who_is_asked_here(who):
    assert who == "traps"
