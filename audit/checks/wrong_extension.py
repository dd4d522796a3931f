"""Files whose content is of another format than their extension says.

Tools that choose a decoder by the extension (`tf.io.decode_png`, web servers, labelling tools)
fail on them or take them for broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.checks._findings import flag_kind
from audit.formats import EXTENSIONS
from audit.types import CheckMeta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence, Outcome

META = CheckMeta(
    code="wrong_extension", title="Wrong extensions", about="image", cause="odd_images",
    needs=("format", "extension"),
    fix="Rename the file to the extension of its content.",
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag readable files whose extension is not one of their format's."""
    formats, extensions = evidence.images["format"], evidence.images["extension"]
    flagged = [bool(name) and extension not in EXTENSIONS.get(name, ())
               for name, extension in zip(formats, extensions, strict=True)]
    return flag_kind(
        META, evidence, np.array(flagged, bool),
        lambda row: f"the content is {formats.iloc[row]}, "
                    f"the extension {extensions.iloc[row] or 'is missing'}",
        "misnamed: the extension is of another format",
        known=(formats != "").to_numpy())
