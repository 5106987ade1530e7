"""What depends on the order of its statements."""

from shop.registers import every, named

STEPS = ["boil"]
STEPS.append("pour")
LAST = STEPS[-1]


@every
def wake():
    return "wake"


@every
def rise():
    return "rise"


@named("tea")
def brew():
    return "brew"
