"""Restart states: named arrays in full precision, as bytes that depend on the content alone."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from kadanoff.errors import InputError

__all__ = ["pack_state", "unpack_state"]


def pack_state(state: Mapping[str, Any]) -> bytes:
    """Content of an `.npz` file; unlike `numpy.savez` it takes any name, and stamps no time.

    Raises `InputError` naming the entry that is not an array of plain numbers, booleans or strings.

    >>> int(unpack_state(pack_state({"sweep": 7}))["sweep"])
    7
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, value in state.items():
            if not isinstance(name, str):
                raise InputError(f"state has the key {name!r}, but its names are strings: use {str(name)!r}")
            try:
                array = np.asarray(value)
            except (
                Exception
            ) as error:  # typed random keys of jax refuse the conversion with errors of their own
                raise InputError(
                    f"state[{name!r}] is not an array: convert it (keys: jax.random.key_data)"
                ) from error
            if array.dtype.kind not in "biufcSU":
                raise InputError(
                    f"state[{name!r}] has dtype {array.dtype}, which a restart file cannot hold exactly: "
                    "convert it to numbers first"
                )
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return stream.getvalue()


def unpack_state(data: bytes) -> dict[str, np.ndarray]:
    """Arrays of `pack_state`, with their dtypes and shapes; `ValueError` for what is no whole archive."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(str(error)) from error
