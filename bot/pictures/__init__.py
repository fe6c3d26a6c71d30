"""Pictures of data: pure functions from values to PNG files; only here matplotlib is imported (extra `charts`)."""

from bot.pictures.drawing import Drawing
from bot.pictures.genome_scan import MarkerScore, Threshold, genome_scan
from bot.pictures.histogram import histogram
from bot.pictures.picture import Picture
from bot.pictures.scatter import Variable, scatter
from bot.pictures.strain_values import StrainValue, strain_values

__all__ = [
    "Drawing",
    "MarkerScore",
    "Picture",
    "StrainValue",
    "Threshold",
    "Variable",
    "genome_scan",
    "histogram",
    "scatter",
    "strain_values",
]
