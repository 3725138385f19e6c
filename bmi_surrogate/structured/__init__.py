"""The structured surrogate: one linearised implicit solve of every column, a learned correction, a closed balance.

Where a network must learn all of the Richards equation from data, most of an hour is one cheap linear solve. Here that
solve is a layer of the model; a small network learns only what it misses, and the water balance of every column is
closed after it, whatever the network says. The state of the Richards equation is Markov, so there is no memory.
"""

from bmi_surrogate.structured.architecture import StructuredArchitecture
from bmi_surrogate.structured.columns import ColumnProperties
from bmi_surrogate.structured.model import StructuredModel

__all__ = ["ColumnProperties", "StructuredArchitecture", "StructuredModel"]
