"""Data by name and from files: what is read is what was written, and what cannot be read is refused in one line."""

import gzip
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.network.datasets import dequantised, load_dataset

pytestmark = pytest.mark.exact

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([4, 0, 9], dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    kinds = {"uint8": 8, "int32": 12, "float32": 13}
    header = bytes([0, 0, kinds[array.dtype.name], array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("sklearn.datasets._base.urlretrieve", refuse)


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    found = load_dataset("digits")
    np.testing.assert_array_equal(found.data, load_digits().data)
    np.testing.assert_array_equal(found.labels, load_digits().target)
    assert (found.shape, found.levels) == ((8, 8), 17)
    assert found.data.max() == 16


def test_patches_are_pieces_of_the_photographs_and_follow_the_seed() -> None:
    from sklearn.datasets import load_sample_images

    found, again = (load_dataset("patches", side=6, count=20, seed=3) for _ in range(2))
    np.testing.assert_array_equal(found.data, again.data)
    assert (load_dataset("patches", side=6, count=20, seed=4).data != found.data).any()
    assert found.labels is not None and found.shape == (6, 6)
    photographs = [np.rint(image @ [0.299, 0.587, 0.114]) for image in load_sample_images().images]
    for row, label in list(zip(found.data, found.labels, strict=True))[:3]:
        windows = np.lib.stride_tricks.sliding_window_view(photographs[label], (6, 6))
        assert (windows == row.reshape(6, 6)).all(axis=(2, 3)).any()


def test_noise_stays_within_its_level_and_follows_the_seed() -> None:
    x = load_dataset("digits").data[:50]
    noisy = dequantised(x, 17, seed=5)
    np.testing.assert_array_equal(np.floor(noisy), x)
    np.testing.assert_array_equal(noisy, dequantised(x, 17, seed=5))
    assert (noisy != dequantised(x, 17, seed=6)).all()


@pytest.mark.statistical
def test_noise_is_uniform_and_independent_of_the_level() -> None:
    # 1797 x 64 draws: mean and variance within 4 standard errors, fixed seed.
    x = load_dataset("digits").data
    noise = dequantised(x, 17, seed=1) - x
    assert abs(noise.mean() - 0.5) < 4 / np.sqrt(12 * x.size)
    assert abs(noise.var() - 1 / 12) < 4 / np.sqrt(180 * x.size)
    assert abs(np.corrcoef(noise.ravel(), x.ravel())[0, 1]) < 4 / np.sqrt(x.size)


@pytest.mark.parametrize(
    ("x", "levels", "said"), [([[0.5]], 17, "hold 0.5"), ([[17.0]], 17, "hold 17"), ([[-1.0]], 17, "hold -1")]
)
def test_noise_of_a_level_needs_levels(x: list, levels: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        dequantised(np.array(x), levels)


@pytest.mark.parametrize("compressed", [False, True])
def test_mnist_from_idx_files(tmp_path: Path, compressed: bool) -> None:
    for name, array in {"t10k-images-idx3-ubyte": IMAGES, "t10k-labels-idx1-ubyte": LABELS}.items():
        content = idx(array)
        path = tmp_path / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)
    found = load_dataset("mnist", folder=tmp_path, part="test")
    np.testing.assert_array_equal(found.data, IMAGES.reshape(3, 20))
    np.testing.assert_array_equal(found.labels, LABELS)
    assert (found.shape, found.levels) == ((4, 5), 256)


def test_mnist_from_an_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:1], y_test=LABELS[:1])
    assert len(load_dataset("mnist", folder=tmp_path).data) == 3
    assert len(load_dataset("mnist", folder=tmp_path, part="test").data) == 1


def test_arrays_tables_and_idx_of_other_types(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.save(tmp_path / "table.npy", table)
    np.savez(tmp_path / "named.npz", X=IMAGES, target=np.array(["b", "a", "b"]))
    (tmp_path / "numbers.idx").write_bytes(idx(table))
    found = load_dataset(tmp_path / "table.npy")
    np.testing.assert_array_equal(found.data, table)
    assert (found.shape, found.labels, found.levels) == (None, None, None)
    np.testing.assert_array_equal(load_dataset(tmp_path / "numbers.idx").data, table)
    named = load_dataset(str(tmp_path / "named.npz"))
    assert named.shape == (4, 5) and named.levels == 256
    assert named.labels is not None and named.labels.tolist() == [1, 0, 1]


def test_folders_of_images_and_their_classes(tmp_path: Path) -> None:
    from PIL import Image

    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / name).mkdir()
        Image.fromarray(IMAGES[label]).save(tmp_path / name / "one.png")
    found = load_dataset(tmp_path)
    np.testing.assert_array_equal(found.data, IMAGES[:2].reshape(2, 20))
    assert found.labels is not None and found.labels.tolist() == [0, 1]
    assert load_dataset(tmp_path / "cats").labels is None
    Image.fromarray(IMAGES[0].T.copy()).save(tmp_path / "dogs" / "two.png")
    with pytest.raises(InputError, match="images of one size"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(("suffix", "order"), [("png", "<"), ("tif", "<"), ("tif", ">")])
def test_grey_levels_of_16_bits_are_rounded_not_clipped(tmp_path: Path, suffix: str, order: str) -> None:
    from PIL import Image

    wide = IMAGES[0].astype(np.uint16) * 257
    Image.frombytes(
        "I;16" if order == "<" else "I;16B", wide.shape[::-1], wide.astype(f"{order}u2").tobytes()
    ).save(tmp_path / f"one.{suffix}")
    np.testing.assert_array_equal(load_dataset(tmp_path).data, IMAGES[:1].reshape(1, 20))


def test_images_without_levels_of_light_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    grey = Image.fromarray(IMAGES[0])
    alpha = Image.fromarray(np.where(np.arange(20).reshape(4, 5) == 3, 254, 255).astype(np.uint8))
    for picture in (grey, grey.convert("RGB")):
        file = tmp_path / "one.png"
        picture.putalpha(255)
        picture.save(file)
        np.testing.assert_array_equal(load_dataset(tmp_path).data, IMAGES[:1].reshape(1, 20))
        picture.putalpha(alpha)
        picture.save(file)
        with pytest.raises(InputError, match="transparent pixels"):
            load_dataset(tmp_path)
    Image.fromarray(IMAGES[0].astype(np.float32)).save(tmp_path / "one.tif")
    (tmp_path / "one.png").unlink()
    with pytest.raises(InputError, match="mode F"):
        load_dataset(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(InputError, match="exceeds limit"):
        load_dataset(tmp_path)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_one_line_says_what_to_do(tmp_path: Path) -> None:
    for name in ("mnist", "olivetti"):
        with pytest.raises(
            InputError, match=f"not in {tmp_path}.*no network in tests.*bring the files"
        ) as caught:
            load_dataset(name, folder=tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.warns(KadanoffWarning, match="photographs stand in for faces"):
        assert load_dataset("faces", folder=tmp_path, side=5, count=3).shape == (5, 5)


def test_faces_from_the_original_file(tmp_path: Path) -> None:
    from scipy.io import savemat

    faces = np.random.default_rng(0).integers(256, size=(400, 64, 64)).astype(np.uint8)
    savemat(tmp_path / "olivettifaces.mat", {"faces": faces.transpose(0, 2, 1).reshape(400, -1).T})
    found = load_dataset("faces", folder=tmp_path)
    np.testing.assert_array_equal(found.data, faces.reshape(400, -1))
    assert found.labels is not None and found.labels[[0, 9, 10]].tolist() == [0, 0, 1]


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no data")
    (tmp_path / "broken.npy").write_text("no array")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES))[:-9])
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.savez(tmp_path / "two.npz", a=IMAGES, b=IMAGES)
    np.savez(tmp_path / "labels.npz", X=IMAGES, y=LABELS[:2])
    for name, said in {
        "absent": "no data set and no file",
        "notes.txt": "of no kind that is read here",
        "broken.npy": "cannot be read",
        "train-images-idx3-ubyte.gz": "damaged",
        "empty": "holds no images",
        "words.npy": "no table of numbers",
        "two.npz": "none of them is called",
        "labels.npz": "labels of shape",
    }.items():
        with pytest.raises(InputError, match=said):
            load_dataset(tmp_path / name)
    for options, said in (
        ({"name_or_path": "digits", "part": "test"}, "no test part"),
        ({"name_or_path": "mnist", "part": "validation"}, "unknown part"),
        ({"name_or_path": "patches", "side": 1}, "a side of 2 to"),
        ({"name_or_path": "patches", "count": 0}, "1 patch or more"),
    ):
        with pytest.raises(InputError, match=said):
            load_dataset(**options)


@pytest.mark.exact
def test_an_array_of_an_npz_is_named(tmp_path):
    path = tmp_path / "two.npz"
    np.savez(path, first=np.zeros((3, 2)), second=np.ones((4, 2)))
    assert load_dataset(path, array="second").data.tolist() == [[1.0, 1.0]] * 4
    with pytest.raises(InputError, match="holds no 'third', but first, second"):
        load_dataset(path, array="third")
    with pytest.raises(InputError, match="name one as array, --array"):
        load_dataset(path)
    for name in ("digits", tmp_path):
        with pytest.raises(InputError, match="leave array 'first' out"):
            load_dataset(name, array="first")
