"""The colour maps of oceanography, by kind of quantity."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it makes its maps in a way that Matplotlib will give up
    from cmocean import cm

__all__ = ["cm"]
