"""Functions of diffusers that have the widths of FLUX.1 written into them, for a model of another width."""

import inspect
import sys

REAL = 3072


def narrowed(function, width):
    """The same function with `width` for 3072, and four times as much for 12288."""
    source = inspect.getsource(function)
    assert str(REAL) in source, function.__name__
    space = dict(vars(sys.modules[function.__module__]))
    exec(source.replace(str(4 * REAL), str(4 * width)).replace(str(REAL), str(width)), space)
    return space[function.__name__]
