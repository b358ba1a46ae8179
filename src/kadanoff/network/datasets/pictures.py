"""Image files as pixels of 8 bits, grey or RGB, with nothing clipped or hidden on the way."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kadanoff.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["read_picture"]

_GREY = {"1", "L", "LA", "I;16", "I;16B"}
_COLOUR = {"P", "RGB", "RGBA", "CMYK"}


def read_picture(path: Path) -> "Image":
    """The image of a file in mode L if it is grey, else in mode RGB; 16 bits of grey are rounded to 8.

    Raises `InputError` without pillow, for a file that is no image, and for one whose pixels are no levels of light:
    numbers of other modes, or transparent ones.
    """
    try:
        from PIL import Image
    except ImportError:
        raise InputError("reading images needs pillow, which is not installed: pip install pillow") from None
    try:
        with Image.open(path) as image:
            image.load()
            return _bytes_of(image, path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no image that can be read ({error}): give a PNG, JPEG or similar file, or leave it out"
        ) from None


def _bytes_of(image: "Image", path: Path) -> "Image":
    if image.mode not in _GREY | _COLOUR:
        raise InputError(f"{path} has the mode {image.mode}: convert it to 8-bit grey or RGB")
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise InputError(f"{path} has transparent pixels, which have no colour: lay it on a background first")
    if image.mode.startswith("I;16"):  # pillow would clip what is above 255
        from PIL import Image

        return Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
    return image.convert("L" if image.mode in _GREY else "RGB")
