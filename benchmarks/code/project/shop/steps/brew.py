from shop.steps import step


@step("brew")
def brew():
    return "tea"
