"""An image as an equilibrium: a small picture is learnt, and chains find it from random starts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kadanoff.experiments import image
from kadanoff.experiments.pictures import read_image


@pytest.mark.exact
def test_pictures_are_cropped_scaled_and_split(tmp_path: Path) -> None:
    colour = np.zeros((20, 30, 3), np.uint8)
    colour[:, 5:25, 0] = 255  # the middle square is red
    Image.fromarray(colour).save(tmp_path / "red.png")
    found = read_image(tmp_path / "red.png", 10)
    assert found.shape == (10, 10, 3)
    np.testing.assert_allclose(found, np.broadcast_to([1.0, 0.0, 0.0], found.shape))
    Image.fromarray(colour[..., 0]).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png", 10).shape == (10, 10, 1)


@pytest.mark.exact
def test_noise_has_no_mean_and_no_correlation_of_neighbours() -> None:
    noise = image._noise(40, (6, 8), 0)
    assert noise.shape == (40, 6, 8) and noise.std() == pytest.approx(0.03, rel=0.1)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=1e-15)
    for axis in (1, 2):
        np.testing.assert_allclose((noise * np.roll(noise, 1, axis)).mean(axis=0), 0, atol=1e-17)


@pytest.mark.slow
@pytest.mark.statistical
def test_chains_find_a_small_picture(tmp_path: Path) -> None:
    # At least 90 of 100 chains; measured 97 to 100 on the bundled images.
    pixels = np.add.outer(np.linspace(0, 255, 16), np.zeros(16)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "ramp.png")
    result = image.run(tmp_path, quick=True, seed=0, image=tmp_path / "ramp.png")
    (row,) = result.rows
    assert row["found"].value >= 0.9 and row["median_distance"] < 0.04
    assert row["reference"]["width"] != 0.03, "the copies have a width of their own"
    assert abs(row["pull"]["width"]) < 4
    assert all(path.is_file() for path in result.figures)
