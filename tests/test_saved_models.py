"""Models in folders: what comes back is what was kept, and damage is refused in one line."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError, StoreError
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.saved_models import data_fingerprint, model_record

pytestmark = pytest.mark.exact

GRAPHS = {
    "grid": kd.Graph.grid((3, 4)),
    "triangular": kd.Graph.grid((4, 4), "triangular"),
    "edges": kd.Graph([(0, 1), (1, 2), (2, 0), (2, 3)]),
}


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    assert jax.tree_util.tree_structure(one) == jax.tree_util.tree_structure(other)
    for a, b in zip(jax.tree_util.tree_leaves(one), jax.tree_util.tree_leaves(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_a_model_on_a_graph_comes_back(graph: kd.Graph, tmp_path: Path) -> None:
    model = kd.InhomogeneousPhi4.random(graph, seed=3)
    assert_same(kd.load_model(kd.save_model(model, tmp_path / "model")), model)


def test_any_module_of_the_library_comes_back(tmp_path: Path) -> None:
    network = OddNetwork.random(jax.random.key(0), 2, 1, 2, 4, (3, 1))
    assert_same(kd.load_model(kd.save_model(network, tmp_path / "model")), network)


def test_couplings_beyond_what_a_constructor_takes_come_back(tmp_path: Path) -> None:
    model = eqx.tree_at(lambda a: a.sextic, kd.LongerRangePhi4(-1.0, 0.7), jnp.asarray(-0.001))
    assert_same(kd.load_model(kd.save_model(model, tmp_path / "model")), model)


def test_the_record_tells_where_a_model_is_from(tmp_path: Path) -> None:
    data = np.zeros((3, 4, 4), np.float32)
    kd.save_model(kd.Phi4(-1.0, 0.5), tmp_path / "m", seed=7, data=data, record={"method": "likelihood"})
    record = model_record(tmp_path / "m")
    assert (record["class"], record["seed"], record["record"]) == ("Phi4", 7, {"method": "likelihood"})
    assert record["couplings"] == {"mass2": -1.0, "quartic": 0.5, "kappa": 1.0}
    assert record["data"] == data_fingerprint(data) != data_fingerprint(data.reshape(3, 16))
    assert {"kadanoff", "jax", "numpy"} <= set(record["versions"])


def test_a_later_model_replaces_an_earlier_one(tmp_path: Path) -> None:
    for mass2 in (-1.0, -0.5):
        kd.save_model(kd.Phi4(mass2, 0.5), tmp_path / "m")
    assert float(kd.load_model(tmp_path / "m").mass2) == -0.5
    assert len(list((tmp_path / "m").iterdir())) == 2


def test_a_class_of_the_user_is_kept_with_its_file(tmp_path: Path) -> None:
    from kadanoff.runs import action_from_file

    source = tmp_path / "mine.py"
    source.write_text(
        "import kadanoff as kd\nimport jax.numpy as jnp\n"
        "class Sextic(kd.Action):\n    g: float\n    def density(self, field):\n        return self.g * field**6\n"
    )
    model = action_from_file(source, "Sextic")(0.25)
    kd.save_model(model, tmp_path / "m")
    source.unlink()
    loaded = kd.load_model(tmp_path / "m")
    assert float(kd.total(loaded, jnp.ones((2, 2)))) == 1.0


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written down"):
        kd.save_model(kd.actions.FunctionAction(jnp.sum), tmp_path / "m")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("months of work")
    with pytest.raises(StoreError, match="something else"):
        kd.save_model(kd.Phi4(-1.0, 0.5), tmp_path / "notes")


def change_header(folder: Path, **entries: Any) -> None:
    header = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**header, **entries}))


def spoil_arrays(folder: Path) -> None:
    file = next(folder.glob("arrays-*"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.json").unlink(), "holds no model"),
        (lambda folder: (folder / "model.json").write_text("{"), "is damaged"),
        (lambda folder: change_header(folder, seed=8), "is damaged"),
        (lambda folder: change_header(folder, format=99), "newer version"),
        (spoil_arrays, "damaged model"),
        (lambda folder: next(folder.glob("arrays-*")).unlink(), "damaged model"),
    ],
    ids=["no header", "half a header", "other header", "newer", "arrays", "no arrays"],
)
def test_damage_is_refused_in_one_line(damage: Any, said: str, tmp_path: Path) -> None:
    folder = kd.save_model(kd.Phi4(-1.0, 0.5), tmp_path / "m", seed=7)
    damage(folder)
    with pytest.raises(StoreError, match=said) as refusal:
        kd.load_model(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("unchecked")
def test_complex_couplings_come_back_and_are_told(tmp_path: Path) -> None:
    model = kd.LongerRangePhi4(-0.9 + 0.1j, 0.7)
    folder = kd.save_model(model, tmp_path / "model", seed=np.int64(3))  # pyright: ignore[reportArgumentType]
    assert_same(kd.load_model(folder), model)
    record = model_record(folder)
    assert record["couplings"]["mass2"] == pytest.approx([-0.9, 0.1]) and record["seed"] == 3


def test_a_script_that_is_imported_is_not_run_again(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "once_only.py").write_text(
        "import kadanoff as kd\nruns = []\nclass Free(kd.Action):\n    mass2: float\n"
        "    def density(self, field):\n        return self.mass2 * field**2 / 2\n"
        "if __name__ != 'once_only':\n    raise SystemExit('run again')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("once_only")
    monkeypatch.setitem(sys.modules, "once_only", module)
    loaded = kd.load_model(kd.save_model(module.Free(2.0), tmp_path / "model"))
    assert type(loaded) is module.Free and float(loaded.mass2) == 2
    monkeypatch.delitem(sys.modules, "once_only")
    with pytest.raises((InputError, StoreError), match="run again"):
        kd.load_model(tmp_path / "model")
