"""The compiled kernel, in the variant for the processor at hand."""

import sys

from bmi_common.processor import kernel

sys.modules[__name__] = kernel(__package__)
