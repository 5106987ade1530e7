"""Takes what is faster, where it is there."""

try:
    from shop._fast import speed
except ImportError:

    def speed():
        return "slow"
