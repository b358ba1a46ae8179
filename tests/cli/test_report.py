"""`kadanoff report` and `kadanoff reproduce`: pages that need no other file."""

import base64
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import pytest

from kadanoff.actions import InhomogeneousIsing, Phi4
from kadanoff.errors import StoreError
from kadanoff.experiments.result import Result
from kadanoff.graph import Graph
from kadanoff.report import write_report
from kadanoff.report.rows import as_text, tables
from kadanoff.report.run import run_page
from kadanoff.runs import open_ensemble
from kadanoff.sampling import sample
from kadanoff.saved_models import save_model
from kadanoff.statistics import Estimate

pytestmark = pytest.mark.exact

PNG = b"\x89PNG\r\n\x1a\n"


def images(page: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)]


def self_contained(page: str) -> None:
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert not re.search(r"<(script|link|iframe)|@import|url\(", page)


def test_page_of_a_run(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = kadanoff("report", simulated, "--out", target, "--json")
    assert json.loads(done.out)["report"] == str(target)
    page = target.read_text()
    self_contained(page)
    assert len(images(page)) == 2 and all(image.startswith(PNG) for image in images(page))
    ensemble = open_ensemble(simulated)
    for estimate in ensemble.observables().values():
        assert f"<td>{estimate}</td>" in page
    for heading in ("Observables", "Figures", "Certificate", "Provenance"):
        assert f"<h2>{heading}</h2>" in page
    assert "Phi4(mass2=-0.9515, quartic=0.7, kappa=1.0) on 8x8" in page
    assert "<td>seed</td><td>1</td>" in page and "jax " in page


def test_page_of_spins_on_a_graph_has_no_integration_by_parts(tmp_path: Path) -> None:
    run = tmp_path / "run"
    sample(InhomogeneousIsing(Graph.complete(3), 0.2), draws=8, chains=4, thermalize=0, out=run)
    title, sections = run_page(run)
    assert title == "InhomogeneousIsing(Graph(shape=(3,), edges=3)) on 3"
    assert "Schwinger-Dyson" not in "".join(sections)


def test_default_place_and_foreign_text(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    run = tmp_path / "l4 <b>"
    assert kadanoff("block", simulated, "--out", run).status == 0
    assert kadanoff("report", run).out.startswith(f"wrote {run / 'report.html'}")
    page = (run / "report.html").read_text()
    self_contained(page)
    assert "blocked fields of depth 1 on 4x4" in page
    assert "schwinger_dyson" not in page


def test_a_changed_byte_is_no_provenance(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(simulated, run)
    state = next((run / "state").glob("*.npz"))
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    refused = kadanoff("report", run)
    assert refused.status == 2 and "checksum" in refused.err


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An experiment that answers at once, and what it was asked."""
    import kadanoff.experiments as experiments

    asked: dict[str, Any] = {}

    def run(out: Path, *, quick: bool, seed: int, progress: Any) -> Result:
        asked.update(quick=quick, seed=seed)
        progress(1, 2, "thinking")
        figure = out / "exponents.png"
        figure.write_bytes(PNG + b"rest")
        reference = {"gamma_over_nu": Estimate(1.75, 0.0)}
        row = {"label": "32/64", "estimator": "ratio", "gamma_over_nu": Estimate(1.744, 0.004)}
        return Result("demo", [{**row, "reference": reference}], [figure], 1.5, ["A <note>."])

    module = ModuleType("kadanoff_demo_of_test")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(experiments.EXPERIMENTS, "demo", module.__name__)
    return asked


def test_reproduce_prints_keeps_and_reports(kadanoff: Any, demo: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = kadanoff("reproduce", "demo", "--quick", "--seed", "7", "--out", out, "--json")
    assert demo == {"quick": True, "seed": 7}
    found = json.loads(done.out)
    assert (found["name"], found["figures"], found["seconds"]) == ("demo", [str(out / "exponents.png")], 1.5)
    assert found["rows"][0]["gamma_over_nu"]["value"] == 1.744
    assert found["rows"][0]["reference"]["gamma_over_nu"]["value"] == 1.75
    assert json.loads((out / "result.json").read_text())["rows"] == found["rows"]
    table = kadanoff("reproduce", "demo", "--out", tmp_path / "full")
    assert "1.744(4)" in table.out and "A <note>." in table.out and demo["quick"] is False
    moved = tmp_path / "moved"
    out.rename(moved)
    assert kadanoff("report", moved).status == 0
    page = (moved / "report.html").read_text()
    self_contained(page)
    assert images(page) == [PNG + b"rest"]
    assert "<td>1.744(4)</td>" in page and "A &lt;note&gt;." in page
    assert "<p>Asked for by: kadanoff reproduce demo --quick --seed 7.</p>" in page


def test_a_damaged_request_is_told(kadanoff: Any, refused: Any, demo: dict[str, Any], tmp_path: Path) -> None:
    assert kadanoff("reproduce", "demo", "--out", tmp_path).status == 0
    request = tmp_path / "reproduce.json"
    for wrong in ("{", "{}", "[]"):
        request.write_text(wrong)
        refused(kadanoff("report", tmp_path), f"{request} is damaged")


def test_reproduce_keeps_to_the_request_of_its_folder(
    kadanoff: Any, refused: Any, demo: dict[str, Any], tmp_path: Path
) -> None:
    line = ("reproduce", "demo", "--quick", "--out", tmp_path / "demo")
    assert kadanoff(*line).status == 0 and kadanoff(*line).status == 0
    kept = (tmp_path / "demo" / "result.json").read_bytes()
    refused(kadanoff(*line, "--seed", "7"), "holds another reproduction: its seed is 0, 7 was asked for")
    refused(kadanoff("reproduce", "demo", *line[3:]), "its quick is True, False was asked for")
    refused(kadanoff("reproduce", "recovery", *line[2:]), "its name is 'demo', 'recovery' was asked for")
    assert (tmp_path / "demo" / "result.json").read_bytes() == kept
    # A folder of an older version, which tells the name alone.
    (tmp_path / "demo" / "reproduce.json").unlink()
    refused(kadanoff("reproduce", "recovery", *line[2:]), "its name is 'demo', 'recovery' was asked for")
    assert kadanoff(*line, "--seed", "7").status == 0
    refused(kadanoff(*line), "its seed is 7, 0 was asked for")


@pytest.mark.parametrize("command", ["reproduce demo", "match --size 8 --steps 1 --action ising"])
def test_folders_of_another_kind_are_refused(
    kadanoff: Any, refused: Any, demo: dict[str, Any], simulated: Path, tmp_path: Path, command: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(simulated, run)
    before = sorted(run.rglob("*"))
    refused(kadanoff(*command.split(), "--out", run), f"{run} holds a run (run.json): give a new or empty")
    assert sorted(run.rglob("*")) == before


def test_reproduce_list_is_first_lines(kadanoff: Any) -> None:
    from kadanoff.experiments import EXPERIMENTS

    done = kadanoff("reproduce", "--list")
    assert [line.split()[0] for line in done.out.splitlines()] == list(EXPERIMENTS)
    assert (
        json.loads(kadanoff("reproduce", "--list", "--json").out)["experiments"].keys() == EXPERIMENTS.keys()
    )


def test_rows_of_different_kinds_make_tables_of_their_own() -> None:
    rows = [{"estimator": "ratio", "label": "8/16", "x": 1}, {"side": 8}, {"side": 16, "y": None, "z": True}]
    assert tables(rows) == [
        (["label", "estimator", "x"], [["8/16", "ratio", "1"]]),
        (["side", "y", "z"], [["8", "", ""], ["16", "", "yes"]]),
    ]
    ising = {"label": "ising", "beta_c": 0.44, "reason": "", "reference": {"beta_c": 0.4407}}
    phi4 = {"label": "phi4", "mass2_c": None, "reason": "none", "reference": {"mass2_c": -0.9515}}
    assert tables([ising, phi4, {**ising, "label": "longer", "beta_c": 0.35}]) == [
        (
            ["label", "beta_c", "reason", "beta_c (reference)"],
            [["ising", "0.44", "", "0.4407"], ["longer", "0.35", "", "0.4407"]],
        ),
        (["label", "mass2_c", "reason", "mass2_c (reference)"], [["phi4", "", "none", "-0.9515"]]),
    ]
    assert as_text({"value": None, "error": None, "tau_int": None}) == "nan(nan)"
    assert as_text({"value": [2.627, -0.083], "error": [0.003, 0.002]}) == "2.627(3)-0.083(2)i"


def test_exact_references_have_a_digit_more_than_the_estimate_beside_them() -> None:
    def shown(found: Any, known: Any) -> list[str]:
        names, [cells] = tables([{"label": "a", "x": found, "reference": {"x": known}}])[0]
        assert names == ["label", "x", "x (reference)"]
        return cells[1:]

    exact = 0.4406867935097715
    assert shown(Estimate(0.44055, 0.00019), exact) == ["0.44055(19)", "0.440687"]
    assert shown(Estimate(0.4405, 0.0003), Estimate(exact, 0.0)) == ["0.4405(3)", "0.44069"]
    # The same from JSON; a zero that was rounded to is shown, of a short number none is added.
    assert shown(Estimate(82.12, 0.11).as_dict(), Estimate(82.09957666, 0.0).as_dict()) == [
        "82.12(11)",
        "82.100",
    ]
    assert shown(Estimate(1.03, 0.03), 1.0) == ["1.03(3)", "1"]
    assert shown(Estimate(-0.9397, 0.0008), -0.9515 + 0.0125) == ["-0.9397(8)", "-0.939"]
    assert shown(Estimate(0.73, 0.03), float(jnp.float32(0.7))) == ["0.73(3)", "0.7"]
    assert shown(Estimate(1096.0, 30.0), 1100.2) == ["1100(30)", "1100"]
    assert shown(None, Estimate(-0.9515, 0.0)) == ["", "-0.9515"]
    # What has an error keeps it; without one beside, numbers are as in every other cell.
    assert shown(Estimate(0.596, 0.002), Estimate(0.601, 0.004)) == ["0.596(2)", "0.601(4)"]
    assert shown(None, exact) == ["", "0.4407"]
    assert shown(Estimate(0.5, float("nan")), exact) == ["0.5(nan)", "0.4407"]
    assert shown(2.0, None) == ["2", ""]


@pytest.mark.slow
@pytest.mark.ci
def test_pages_of_what_was_learnt(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    def page_of(folder: str, *headings: str) -> str:
        assert kadanoff("report", tmp_path / folder).status == 0
        page = (tmp_path / folder / "report.html").read_text()
        self_contained(page)
        for heading in (*headings, "Provenance"):
            assert f"<h2>{heading}</h2>" in page, (folder, heading)
        return page

    def made(*words: Any) -> Any:
        done = kadanoff(*words, "--json")
        assert done.status == 0, done
        return json.loads(done.out)

    learnt = made(
        "learn", simulated, "--kind", "deterministic", "--steps", "20", "--out", tmp_path / "inverse"
    )
    page = page_of("inverse", "Certificate", "Figures")
    assert f"<td>{learnt['held_out']:.4g}</td>" in page and "best linear" in page and len(images(page)) == 1

    fit = ("fit", simulated, "--model", "phi4", "--method", "score-matching", "--out", tmp_path / "model")
    kappa = made(*fit)["couplings"]["kappa"]
    page = page_of("model", "Couplings", "Fit")
    assert f"<td>kappa</td><td>{as_text(kappa)}</td>" in page and not images(page)
    assert made(*fit)["couplings"]["kappa"] == kappa  # a page in the folder is nobody else's work

    made("fit", "phi4", "--size", "2x2", "--steps", "2", "--out", tmp_path / "grid")
    page = page_of("grid", "Couplings", "Fit", "Figures")
    assert "<td>w[7]</td>" in page and "not converged after 2 epochs" in page and len(images(page)) == 1

    network = ("rbm", "fit", "digits", "--n-hidden", "4", "--epochs", "2", "--out", tmp_path / "network")
    epochs = made(*network)["history"]
    page = page_of("network", "Training", "Figures")
    assert len(images(page)) == 3 and f"<td>{epochs[-1]['reconstruction']:.4g}</td>" in page
    assert made(*network)["history"] == epochs


def test_pages_of_models_that_were_saved_in_python(tmp_path: Path) -> None:
    # A record is whatever else was worth knowing, and may have the names of what a fit tells.
    record = {"couplings": [1, 2], "held_out": 0.25, "warnings": 5, "method": "<b>"}
    save_model(Phi4(-0.9515, 0.7), tmp_path / "told", record=record)
    page = write_report(tmp_path / "told").read_text()
    self_contained(page)
    assert "<td>quartic</td><td>0.7</td>" in page and "<td>held out</td><td>0.25</td>" in page
    assert "<td>&lt;b&gt;</td>" in page and "Warning" not in page and "&quot;warnings&quot;: 5" in page

    save_model(eqx.nn.Lambda(None), tmp_path / "bare")  # type: ignore[arg-type]
    assert "<h2>Couplings</h2>" not in write_report(tmp_path / "bare").read_text()

    complex_ones = {"g": jnp.array([0.5j, 1.0 + 2.0j]), "h": jnp.array([jnp.inf, 0.0])}
    save_model(complex_ones, tmp_path / "complex")
    page = write_report(tmp_path / "complex").read_text()
    assert "[1]</td><td>1+2i</td>" in page and "[0]</td><td>inf</td>" in page and len(images(page)) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("result.json", {"name": "demo", "rows": ["x"]}),
        ("result.json", {"name": "demo", "rows": [], "seconds": "x"}),
        ("result.json", {"name": "demo", "rows": [], "certificate": [1]}),
        ("match.json", {"coupling": "beta", "rows": [1], "warnings": []}),
        ("match.json", {"coupling": "beta", "rows": [{"reason": "x"}], "warnings": []}),
    ],
)
def test_records_that_hold_something_else_are_damaged(tmp_path: Path, name: str, content: Any) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(StoreError, match=f"{name} is damaged"):
        write_report(tmp_path)


@pytest.mark.slow
@pytest.mark.ci
def test_page_of_a_matching(kadanoff: Any, refused: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = (
        "match",
        "--size",
        "16",
        "--chains",
        "16",
        "--draws",
        "40",
        "--steps",
        "2",
        "--out",
        run,
        "--json",
    )
    told = json.loads(kadanoff(*line).out)
    assert json.loads((run / "match.json").read_text())["rows"] == told["rows"]
    assert kadanoff("report", run).status == 0
    page = (run / "report.html").read_text()
    self_contained(page)
    assert "Two-lattice matching of beta" in page and len(images(page)) == 2
    assert f"<td>{as_text(told['rows'][0]['beta_c'])}</td>" in page
    assert json.loads(kadanoff(*line).out)["rows"] == told["rows"]
    (run / "match.json").write_text("{}")
    refused(kadanoff("report", run), "match.json is damaged")
