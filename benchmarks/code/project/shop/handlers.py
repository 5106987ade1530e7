"""A registry of subclasses."""


class Handler:
    known = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        Handler.known[cls.__name__] = cls

    @property
    def label(self):
        return "handler"

    def size(self):
        return 1


class Mail(Handler):
    pass


class Phone(Handler):
    def size(self):
        return 2
