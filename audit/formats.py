"""Image file formats: told by content, with the extensions that are right for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
}
"""Formats that are read, by Pillow's names, and their extensions."""

UNSUPPORTED_EXTENSIONS = frozenset({
    ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".tga", ".ppm", ".pgm", ".pbm", ".pnm", ".ico",
    ".psd", ".exr", ".hdr", ".dng", ".cr2", ".nef", ".arw", ".pcx",
})
"""Extensions of images that are not read: a finding, not a file to pass over in silence."""

IMAGE_EXTENSIONS = frozenset(
    extension for extensions in EXTENSIONS.values() for extension in extensions
) | UNSUPPORTED_EXTENSIONS

SNIFF_BYTES = 32
"""How much of a file's beginning `sniff` wants."""


def sniff(head: bytes) -> str:
    """Name of the format that the first bytes of a file announce; empty if none that is read.

    Signatures: the formats' own specifications (JFIF, PNG, RIFF/WebP, BMP, GIF, TIFF 6.0 and
    BigTIFF, ISO base media file format with brand avif or avis).
    """
    announced = {
        "JPEG": head.startswith(b"\xff\xd8\xff"),
        "PNG": head.startswith(b"\x89PNG\r\n\x1a\n"),
        "WEBP": head[:4] == b"RIFF" and head[8:12] == b"WEBP",
        "GIF": head.startswith((b"GIF87a", b"GIF89a")),
        "TIFF": head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
        "AVIF": head[4:8] == b"ftyp" and (b"avif" in head[8:] or b"avis" in head[8:]),
        # "BM" begins many a text too; the size of the header that follows is below 256.
        "BMP": head.startswith(b"BM") and head[15:18] == b"\0\0\0",
    }
    return next((name for name, is_so in announced.items() if is_so), "")
