"""The rules of the house, each as a check that names the file and the line to mend."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import kadanoff

pytestmark = pytest.mark.exact

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "kadanoff"
FILES = sorted(PACKAGE.rglob("*.py"))

CHECKED = ("src", "tests", "benchmarks", "docs")

GROUND = {
    "compiled",
    "cores",
    "devices",
    "errors",
    "field_sums",
    "joint_end",
    "keys",
    "summation",
    "whole",
    "random",
    "parallel",
    "products",
    "programs",
    "lattice",
    "quartic",
    "graph",
}
"""The ground floor: it imports nothing of ours but itself."""

FIRST = GROUND | {"actions"}
"""The first floor knows the ground floor."""

ONLY_BY = {"experiments": {"experiments", "cli"}, "cli": {"cli", "__main__"}}
"""Parts that may be imported only from the parts named."""


def modules() -> Iterator[tuple[Path, str, ast.Module]]:
    """Yield path, part of the package (first folder or file name) and syntax tree of every source file."""
    for path in FILES:
        yield path, path.relative_to(PACKAGE).parts[0].removesuffix(".py"), ast.parse(path.read_text())


def imports(path: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and absolute dotted name of everything that a file imports, wherever in it."""
    package = ("kadanoff", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{source}.{alias.name}"


def part_of(name: str) -> str | None:
    """Name the part of kadanoff that a dotted import reaches; None for other packages."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "kadanoff" and len(pieces) > 1 else None


def run_tool(*command: str) -> None:
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    run_tool("ruff", "check", *CHECKED)


def test_ruff_would_format_nothing() -> None:
    run_tool("ruff", "format", "--check", *CHECKED)


@pytest.mark.slow
@pytest.mark.ci
def test_pyright_finds_nothing() -> None:
    run_tool("pyright", "--pythonpath", sys.executable)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_over_300_lines(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= 300, f"{path.relative_to(ROOT)} has {lines} lines; one algorithm a file?"


def test_public_things_have_docstrings() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path, _, tree in modules()
        for node in tree.body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not bare, "\n".join(bare)


def test_only_plots_import_matplotlib() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, part, tree in modules()
        for line, name in imports(path, tree)
        if name.split(".")[0] == "matplotlib" and part != "plots"
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("floor", "known"), [(GROUND, GROUND), ({"actions"}, FIRST)], ids=["ground", "actions"]
)
def test_a_floor_knows_nobody_above(floor: set[str], known: set[str]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, part, tree in modules()
        for line, name in imports(path, tree)
        if part in floor and name.split(".")[0] == "kadanoff" and part_of(name) not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_nobody_knows_the_top_floor() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, part, tree in modules()
        for line, name in imports(path, tree)
        if (target := part_of(name)) in ONLY_BY and part not in ONLY_BY[target]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_import_reader_sees_what_the_rules_forbid() -> None:
    source = "def f():\n    from ..experiments import table1\nimport matplotlib.pyplot\nfrom .. import cli\n"
    found = dict(imports(PACKAGE / "sampling" / "here.py", ast.parse(source)))
    assert found == {2: "kadanoff.experiments.table1", 3: "matplotlib.pyplot", 4: "kadanoff.cli"}
    assert part_of(found[2]) == "experiments"
    assert part_of(found[3]) is None


def test_importing_the_package_is_light() -> None:
    code = "import sys, kadanoff; print({'jax', 'numpy', 'matplotlib', 'zarr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_no_public_name_is_that_of_a_module() -> None:
    # Importing the module, from wherever, would put it in the place of what has its name.
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/*.py")
    }
    assert "reweighting" in modules and "graph" in modules
    assert modules & set(kadanoff._HOME_OF) == set()


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version} " in (ROOT / "CHANGELOG.md").read_text()


def test_ci_calls_the_test_command_of_the_readme() -> None:
    command = "uv run --group test pytest"
    assert command in (ROOT / "README.md").read_text()
    assert command in (ROOT / ".ci" / "run").read_text()
