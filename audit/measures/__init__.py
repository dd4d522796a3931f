"""Measures: the only place that opens images, and it opens each exactly once."""

from audit.measures.measure import (
    UNREADABLE,
    MeasureImage,
    Measurement,
    extension_of,
    failed_measurement,
    hash_of_file,
    measure_into,
)

__all__ = ["UNREADABLE", "MeasureImage", "Measurement", "extension_of", "failed_measurement",
           "hash_of_file", "measure_into"]
