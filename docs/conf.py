"""Sphinx makes the site of this folder: tutorials that are executed as it is built, and the API from docstrings."""

import re
from importlib import metadata

project = "kadanoff"
author = "the kadanoff developers"
release = metadata.version("kadanoff")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
smartquotes = False
html_theme = "furo"
html_title = f"kadanoff {release}"
default_role = "code"  # docstrings write `names` as Markdown does

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
maximum_signature_line_length = 100


def _restructured_text(
    _app: object, _what: str, _name: str, _of: object, _options: object, lines: list[str]
) -> None:
    """Make reStructuredText of a docstring: escape its stars, bars and trailing underscores, align its lists."""
    bullet = False
    for number, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...")):
            continue
        bullet = line.startswith("- ") or (bullet and line.startswith("    "))
        if bullet:
            line = re.sub(
                r"^ {4}", "  ", line
            )  # else the first line of an entry were a term, the others what it means
        parts = re.split(r"(`[^`]*`|\*\*[^*]+\*\*)", line)
        parts[::2] = [re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def _without_private(
    _app: object,
    _what: str,
    _name: str,
    _of: object,
    _options: object,
    arguments: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Leave out what a class keeps for itself; Sphinx cannot read the `<factory>` of such a field."""
    return arguments and re.sub(r", _\w+: [^=]*= ?<factory>", "", arguments), returns


def _skips(_app: object, _what: str, name: str, _of: object, skip: bool, _options: object) -> bool:
    """Skip what scikit-learn adds to every estimator, with references into a site of its own."""
    return skip or re.fullmatch(r"set_\w+_request|get_metadata_routing", name) is not None


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _restructured_text)  # type: ignore[attr-defined]
    app.connect("autodoc-process-signature", _without_private)  # type: ignore[attr-defined]
    app.connect("autodoc-skip-member", _skips)  # type: ignore[attr-defined]
