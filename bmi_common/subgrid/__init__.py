"""What cells that are wider than hillslopes do not resolve: streams within them, and ground that is saturated beside.

Equations (10c) to (10i) of docs/theory.md.
"""

from bmi_common.subgrid.config import StreamsConfig
from bmi_common.subgrid.parameters import SubgridParameters, SubgridWeights
from bmi_common.subgrid.streams import Streams
from bmi_common.subgrid.terrain import TerrainStatistics

__all__ = ["Streams", "StreamsConfig", "SubgridParameters", "SubgridWeights", "TerrainStatistics"]
