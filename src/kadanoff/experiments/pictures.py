"""Pictures as fields: bundled images and a user's own, cropped, scaled down, grey or a channel a field."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from kadanoff.errors import InputError
from kadanoff.network.datasets.pictures import read_picture

__all__ = ["BUNDLED", "bundled_image", "channels", "read_image"]

#: Images that come with scikit-learn, by name.
BUNDLED = ("flower", "china")

_SMALLEST = 8  # pixels a side


def bundled_image(name: str, side: int) -> Float[np.ndarray, "side side channel"]:
    """One of the `BUNDLED` images in colour, square, between 0 and 1.

    >>> bundled_image("china", 16).shape
    (16, 16, 3)
    """
    from sklearn.datasets import load_sample_image

    return _scaled(Image.fromarray(load_sample_image(f"{name}.jpg")), side)


def read_image(file: Path, side: int) -> Float[np.ndarray, "side side channel"]:
    """A user's image, its middle square scaled to so many pixels a side: one channel if it is grey, else three.

    Raises `InputError` for a path that is no image, one with transparent pixels, or smaller than 8 pixels a side.
    """
    if not file.is_file():
        raise InputError(f"{file} is not a file: give the path of a PNG, JPEG or similar image")
    return _scaled(read_picture(file), side)


def channels(image: Float[np.ndarray, "side side channel"]) -> dict[str, Float[np.ndarray, "side side"]]:
    """The channels by name.

    >>> list(channels(np.zeros((8, 8, 3))))
    ['red', 'green', 'blue']
    """
    names = ("grey",) if image.shape[-1] == 1 else ("red", "green", "blue")
    return {name: image[..., number] for number, name in enumerate(names)}


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
