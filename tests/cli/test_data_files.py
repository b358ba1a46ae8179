"""Files of arrays that a command is given: whole ones are read, and half ones told."""

import numpy as np
import pytest

from kadanoff.cli.data_files import read_fields
from kadanoff.errors import InputError

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("kept", [1.0, 0.9, 0.5, 0.0])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_half_a_file_is_told(tmp_path, suffix, kept):
    path, fields = tmp_path / f"fields.{suffix}", np.random.default_rng(0).normal(size=(64, 4, 4))
    np.save(path, fields) if suffix == "npy" else np.savez(path, fields=fields)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    if kept == 1.0:
        np.testing.assert_array_equal(read_fields(path, chains=False), fields)
        return
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_fields(path, chains=False)
