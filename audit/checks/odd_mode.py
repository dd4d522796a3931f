"""Pixel layouts other than plain colour (RGB) or grey (L): CMYK, palettes, alpha, 16 bits.

Each reader turns them into RGB in a way of its own: alpha is dropped or laid over black, 16 bits
are cut or scaled, CMYK comes out inverted. Training and serving may then see different pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import flag_kind
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="odd_mode", title="Unusual pixel layouts", about="image", cause="odd_images",
    needs=("mode",),
    fix="Convert the images to 8-bit RGB once, and look at a few of them.",
)

PLAIN_MODES = ("RGB", "L")


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag modes other than RGB and L."""
    modes = evidence.images["mode"]
    return flag_kind(META, evidence, (~modes.isin(PLAIN_MODES) & (modes != "")).to_numpy(),
                     lambda row: f"pixel layout {modes.iloc[row]}",
                     "neither plain RGB nor plain grey", known=(modes != "").to_numpy())
