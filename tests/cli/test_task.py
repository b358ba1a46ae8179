"""What surrounds the work of every command."""

import io
import logging
import os

import pytest

from kadanoff.cli.task import at_work
from kadanoff.errors import KadanoffWarning

pytestmark = pytest.mark.exact


def test_a_missing_driver_takes_one_line():
    with at_work():
        pass
    logger, heard = logging.getLogger("jax._src.xla_bridge"), io.StringIO()
    handler = logging.StreamHandler(heard)
    logger.addHandler(handler)
    try:
        try:
            raise RuntimeError("no driver:\n    libcuda.so.1")
        except RuntimeError:
            # as JAX does
            logger.exception("Jax plugin configuration error: Exception when calling %s.initialize()", "cuda")
            logger.exception("Something else: %s", 1)
    finally:
        logger.removeHandler(handler)
    first, *others = heard.getvalue().splitlines()
    assert first == "no GPU can be used, and CPUs compute: no driver: libcuda.so.1"
    assert others[0] == "Something else: 1" and others[1].startswith("Traceback")


def test_a_cache_that_cannot_be_used_is_told_once(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(
        "JAX_COMPILATION_CACHE_DIR", ""
    )  # so that the end of the test undoes what is set below
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    with (
        pytest.warns(KadanoffWarning, match="cannot be used .Not a directory.*set XDG_CACHE_HOME"),
        at_work() as task,
    ):
        pass
    assert len(task.warnings) == 1 and "JAX_COMPILATION_CACHE_DIR" not in os.environ
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "cache").unlink()
    with at_work() as task:
        pass
    assert task.warnings == [] and os.environ["JAX_COMPILATION_CACHE_DIR"] == str(
        tmp_path / "kadanoff" / "jax"
    )
