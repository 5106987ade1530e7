"""Several bases."""


class Base:
    def who(self):
        return "base"


class Loud:
    pass


class Both(Loud, Base):
    pass
