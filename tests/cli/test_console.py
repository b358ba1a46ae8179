"""What commands print: JSON that any reader takes, bars that stay off stdout, tables that keep brackets."""

import json
from pathlib import Path

import numpy as np
import pytest

from kadanoff.cli import console

pytestmark = pytest.mark.exact


class Reading:
    """Anything with an ``as_dict``, as an estimate has."""

    def as_dict(self) -> dict[str, object]:
        return {"value": np.float64(0.5), "error": float("inf"), "tau_int": None}


def test_emit_json_makes_everything_plain(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit_json(
        {
            "observables": {"binder": Reading()},
            "array": np.arange(3, dtype=np.int32),
            "flag": np.bool_(True),
            "bad": [float("nan"), np.float32("inf"), 1.5],
            "complex": 1 + 2j,
            "store": Path("runs/a"),
            8: "key",
        }
    )
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("\n") == 1
    assert json.loads(printed.out) == {
        "observables": {"binder": {"value": 0.5, "error": None, "tau_int": None}},
        "array": [0, 1, 2],
        "flag": True,
        "bad": [None, None, 1.5],
        "complex": {"real": 1.0, "imag": 2.0},
        "store": "runs/a",
        "8": "key",
    }


def test_progress_draws_on_stderr_only(capfd: pytest.CaptureFixture[str]) -> None:
    with console.progress(enabled=True) as report:
        report(1, 4, "thermalising [cold]")
        report(10, None, "drawing")
        report(15.2, float("inf"), "drawing, error 4.10 %")
        report(20, 20.3, "drawing, error 0.41 %")
        report(4, 4, "thermalising [cold]")
    printed = capfd.readouterr()
    assert printed.out == ""
    last = printed.err[printed.err.rindex("thermalising [cold]") :]
    assert "4/4" in last
    assert "drawing, error 0.41 %" in last and "20/20" in last
    assert last.count("drawing") == 1


def test_progress_is_silent_away_from_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with console.progress() as report:
        report(1, 2, "drawing")
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


def test_print_table_keeps_brackets_and_alignment(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table("Sizes", ["shape", "chi"], [["[8, 8]", "30.85(3)"], ["[32, 32]", "328.1(4)"]])
    lines = capsys.readouterr().out.splitlines()
    assert any("[8, 8]" in line and line.rstrip(" │|").endswith("30.85(3)") for line in lines)
    assert any("[32, 32]" in line for line in lines)


def test_print_table_never_cuts_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    columns = ["label", *(f"susceptibility_of_level_{n}" for n in range(5))]
    console.print_table(
        "A title that is longer than forty characters", columns, [["x", *["328.1234(56)"] * 5]]
    )
    out = capsys.readouterr().out
    assert "…" not in out and out.count("328.1234(56)") == 5 and out.count("susceptibility") == 5
    assert out.startswith("A title that is longer than forty characters\n")


def test_tables_wider_than_the_screen_go_on_below_with_their_labels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ["label", "observable", *(f"quantity_{n}" for n in range(9))]
    rows = [["32/64", name, *["328.123(56)"] * 9] for name in ("binder", "phi2")]
    rows.append(["32/64", "energy", "-1.42(3)", *[""] * 8])
    monkeypatch.delenv("COLUMNS", raising=False)
    console.print_table("Whole", columns, rows, labels=2)
    assert sum(line.count("328.123(56)") == 9 for line in capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setenv("COLUMNS", "80")
    console.print_table("Parts", columns, rows, labels=2)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for name in ("binder", "phi2"):
        mine = [line for line in lines if name in line]
        assert len(mine) == 3 and all("32/64" in line for line in mine)
        assert sum(line.count("328.123(56)") for line in mine) == 9
    assert sum("energy" in line for line in lines) == 1, "a row stands where it says something"


def test_keep_belongs_to_the_command_in_progress() -> None:
    console.keep(Path("nobody"))
    with console.kept_run() as outer:
        with console.kept_run() as inner:
            console.keep(Path("inner"))
        assert inner.folder == Path("inner")
        assert outer.folder is None
        console.keep(Path("outer"))
    assert (outer.folder, inner.folder) == (Path("outer"), Path("inner"))


def test_a_folder_is_kept_as_soon_as_it_holds_anything(tmp_path: Path) -> None:
    run = console.KeptRun(tmp_path / "run")
    assert run.kept() is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").touch()
    assert run.kept() is None
    (tmp_path / "run" / "run.json").touch()
    assert run.kept() == tmp_path / "run"
