"""The quality a JPEG was saved with, read back from its luminance quantisation table."""

from __future__ import annotations

import math

import numpy as np

_START = b"\xff\xd8"
_TABLES, _SCAN, _END = 0xDB, 0xDA, 0xD9
_PADDING = 0xFF
_ALONE = {_PADDING, 0x01, *range(0xD0, 0xD8)}
"""What no length follows: a byte of padding, TEM and restarts (ITU-T T.81, table B.1)."""

_MOST_SEGMENTS = 1_000
"""A file has tens of segments before its pixels; bytes made to be slow are given up on."""

_LUMINANCE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99]])
"""Standard table of ITU-T T.81, table K.1, which libjpeg scales (jcparam.c)."""

# A file lists the entries along the diagonals, to and fro (ITU-T T.81, figure A.6).
_ZIGZAG = sorted(np.ndindex(8, 8), key=lambda at: (sum(at), at[sum(at) % 2 - 1]))


def _scaled(quality: int) -> list[int]:
    """The table of a quality from 1 to 100: jpeg_quality_scaling() of libjpeg's jcparam.c."""
    scale = 5_000 // quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004 - as there
    scaled = np.clip((_LUMINANCE * scale + 50) // 100, 1, 255)
    return [int(scaled[at]) for at in _ZIGZAG]


_TABLE_OF = np.array([_scaled(quality) for quality in range(1, 101)])
_QUALITY_OF = {bytes(row.tolist()): quality for quality, row in enumerate(_TABLE_OF, 1)}


def jpeg_quality(data: bytes) -> float:
    """Quality of a JPEG on the scale of the Independent JPEG Group (libjpeg, Pillow), 1 to 100.

    libjpeg scales one standard table by the quality (jcparam.c, jpeg_quality_scaling and
    jpeg_add_quant_table), so that each quality has a table of its own and the answer is exact.
    For an encoder with other tables it is the quality whose table is nearest, by the sum of
    absolute differences. Only the headers are walked: a few microseconds.

    Args:
        data: the whole file, or what there is of it.

    Returns:
        NaN for bytes that are no JPEG, or that end or break before the table. Never raises.
    """
    table = _luminance_table(data)
    if table is None:
        return math.nan
    known = _QUALITY_OF.get(table)
    if known is not None:
        return float(known)
    # 64 bytes, or 64 numbers of two bytes, the high one first.
    entries = np.frombuffer(table, np.uint8 if len(table) == 64 else ">u2")  # noqa: PLR2004
    return float(np.abs(_TABLE_OF - entries).sum(axis=1).argmin() + 1)


def _luminance_table(data: bytes) -> bytes | None:
    """Bytes of quantisation table 0, which encoders give the luminance; None if there is none."""
    if not data.startswith(_START):
        return None
    at = len(_START)
    for _ in range(_MOST_SEGMENTS):
        if len(data) < at + 4 or data[at] != _PADDING:  # a marker and a length
            return None
        marker = data[at + 1]
        if marker in _ALONE:
            at += 1 if marker == _PADDING else 2
            continue
        length = int.from_bytes(data[at + 2:at + 4])
        if marker in {_SCAN, _END} or length < 2:  # noqa: PLR2004 - it counts itself
            return None
        if marker == _TABLES:
            table = _table_zero(data[at + 4:at + 2 + length])
            if table is not None:
                return table
        at += 2 + length
    return None


def _table_zero(segment: bytes) -> bytes | None:
    """Table 0 of one segment, which may hold several (ITU-T T.81, section B.2.4.1)."""
    at = 0
    while at < len(segment):
        size = 128 if segment[at] >> 4 else 64
        table = segment[at + 1:at + 1 + size]
        if segment[at] & 15 == 0:
            return table if len(table) == size else None
        at += 1 + size
    return None
