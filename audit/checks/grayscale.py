"""Grey images among colour ones: the network can learn the lack of colour instead of the class.

An image is grey if the channels of 99 % of its pixels differ by at most 3 of 255, whatever its
pixel layout. Where no more than 10 % of the images are coloured nothing is flagged: grey is then
what the data is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import flag_images
from audit.types import CheckMeta, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="grayscale", title="Grey images among colour", about="image", cause="odd_images",
    needs=("colourfulness",),
    fix="See whether grey images gather in a class; if so, convert all to grey or collect colour.",
    thresholds={
        "spread": Threshold(3.0, "largest difference between channels of a grey image, of 255",
                            "our choice: the rounding of JPEG's colour conversion", 0, 255),
        "colour_share": Threshold(0.1, "least share of coloured images for grey to be odd",
                                  "our choice", 0, 1),
    },
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag grey images in a dataset that has colour."""
    spread = evidence.images["colourfulness"].to_numpy()
    known = np.isfinite(spread)
    grey = known & (spread <= thresholds["spread"])
    share = 1 - grey.sum() / max(known.sum(), 1)
    flagged = grey & (share > thresholds["colour_share"])
    return flag_images(META, evidence, np.where(known, np.where(flagged, 0.0, 1.0), np.nan), 0.5,
                       lambda row: f"its channels differ by at most {spread[row]:.0f} of 255",
                       "grey among coloured ones",
                       {"grey_images": int(grey.sum()), "colour_share": float(share)})
