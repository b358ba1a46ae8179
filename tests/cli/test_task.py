"""What surrounds the work of every command."""

import io
import logging

import pytest

from kadanoff.cli.task import at_work

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
