"""Tests that several classes inherit."""


class StoreContract:
    def test_gives_something(self):
        assert self.make().get() == "book"
