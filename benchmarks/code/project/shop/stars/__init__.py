from shop.stars.inner import *  # noqa: F403
