"""The site: every public name is in its reference, every page in its index; `.ci/run` executes the tutorials."""

import re
from collections import Counter
from operator import attrgetter
from pathlib import Path

import pytest

import kadanoff as kd

pytestmark = pytest.mark.exact

DOCS = Path(__file__).resolve().parents[1] / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


def test_the_reference_has_every_public_name_once() -> None:
    listed = Counter(re.findall(r"auto\w+:: kadanoff\.(\w+)", (DOCS / "api.md").read_text()))
    assert set(listed) == set(kd.__all__) - {"__version__"}
    assert set(listed.values()) == {1}


def test_the_index_has_every_page() -> None:
    named = set(re.findall(r"^(tutorials/\w+)$", (DOCS / "index.md").read_text(), flags=re.MULTILINE))
    assert named == {f"tutorials/{page.stem}" for page in TUTORIALS}


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorials_name_what_there_is(page: Path) -> None:
    text = page.read_text()
    cells = re.findall(r"```(?:\{code-cell\} )?python\n(.*?)```", text, flags=re.DOTALL)
    assert cells
    for cell in cells:
        compile(cell, page.name, "exec")
    for name in re.findall(r"\bkd\.(\w+(?:\.\w+)*)", text):
        attrgetter(name)(kd)  # an AttributeError names what there is not
