"""Measures: the only place that opens images, and it opens each exactly once."""

from audit.measures.measure import UNREADABLE, MeasureImage, Measurement, failed_measurement

__all__ = ["UNREADABLE", "MeasureImage", "Measurement", "failed_measurement"]
