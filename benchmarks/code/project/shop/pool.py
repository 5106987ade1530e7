"""Work in another process that imports this module anew."""

import multiprocessing


def double(number):
    return number * 2


def doubled(number):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(double, [number])
