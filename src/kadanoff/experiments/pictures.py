"""Pictures as fields: bundled images and a user's own, cropped, scaled down, grey or a channel a field."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError

from kadanoff.errors import InputError

__all__ = ["BUNDLED", "bundled_image", "channels", "read_image"]

#: Images that come with scikit-learn, by name.
BUNDLED = ("flower", "china")

_SMALLEST = 8  # pixels a side
_MODES = {"L", "RGB", "RGBA", "P", "1", "LA", "I;16", "CMYK"}


def bundled_image(name: str, side: int) -> Float[np.ndarray, "side side channel"]:
    """One of the `BUNDLED` images in colour, square, between 0 and 1.

    >>> bundled_image("china", 16).shape
    (16, 16, 3)
    """
    from sklearn.datasets import load_sample_image

    return _scaled(Image.fromarray(load_sample_image(f"{name}.jpg")), side)


def read_image(file: Path, side: int) -> Float[np.ndarray, "side side channel"]:
    """A user's image, its middle square scaled to so many pixels a side: one channel if it is grey, else three.

    Raises `InputError` for a path that is no image, or one smaller than 8 pixels a side.
    """
    if not file.is_file():
        raise InputError(f"{file} is not a file: give the path of a PNG, JPEG or similar image")
    try:
        with Image.open(file) as image:
            image.load()
            if image.mode not in _MODES:
                raise InputError(f"{file} has the mode {image.mode}: convert it to 8-bit grey or RGB")
            return _scaled(image if image.mode == "L" else _grey_or_colour(image), side)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is no image that can be read: give a PNG, JPEG or similar file") from error


def channels(image: Float[np.ndarray, "side side channel"]) -> dict[str, Float[np.ndarray, "side side"]]:
    """The channels by name.

    >>> list(channels(np.zeros((8, 8, 3))))
    ['red', 'green', 'blue']
    """
    names = ("grey",) if image.shape[-1] == 1 else ("red", "green", "blue")
    return {name: image[..., number] for number, name in enumerate(names)}


def _grey_or_colour(image: Image.Image) -> Image.Image:
    return image.convert("L" if image.mode in ("1", "LA", "I;16") else "RGB")


def _scaled(image: Image.Image, side: int) -> np.ndarray:
    short = min(image.size)
    if short < _SMALLEST:
        raise InputError(
            f"the image has {image.size[0]} x {image.size[1]} pixels: give {_SMALLEST} or more a side"
        )
    left, top = ((length - short) // 2 for length in image.size)
    square = image.crop((left, top, left + short, top + short))
    pixels = np.asarray(square.resize((side, side), Image.Resampling.LANCZOS), np.float64) / 255
    return pixels.reshape(side, side, -1)
