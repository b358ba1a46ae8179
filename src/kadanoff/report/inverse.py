"""The page of a learnt inverse: what it inverts, how it learnt, and what a simpler answer reaches."""

import tempfile
from pathlib import Path

from kadanoff.report.page import details, figure, paragraph, section, table
from kadanoff.report.rows import as_text
from kadanoff.report.run import figures_of

__all__ = ["inverse_page"]


#: What is minimised; of all other kinds, the likelihood.
_LOSSES = {
    "linear": "mean square error a fine site",
    "deterministic": "mean square error a fine site",
    "stochastic": "energy score of patches",
}


def inverse_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of an inverse."""
    from kadanoff.plots.training import plot_training
    from kadanoff.renormalization.inverse.given import GivenInverse, load_inverse

    inverse = load_inverse(folder)
    if isinstance(inverse, GivenInverse):
        return "Inverse, not learnt", [paragraph(inverse.describe())]
    record = inverse.record
    yardstick = "block by block" if inverse.map.spins else "best linear"
    loss = _LOSSES.get(record.kind, "minus log-likelihood, nats a fine site")
    rows = [
        (f"{loss}, held out", as_text(record.held_out)),
        (f"the same, {yardstick}", as_text(record.linear)),
        ("better by", f"{record.advantage_sigma:.1f} sigma"),
        ("parameters", str(record.parameters)),
        ("receptive field, coarse sites a side", str(record.receptive_field)),
        ("depth of its input", str(inverse.input_depth)),
        ("temperature", as_text(inverse.temperature)),
        ("seed", str(record.seed)),
        ("seconds", as_text(record.seconds)),
    ]
    drawn: list[str] = []
    if record.history:
        with tempfile.TemporaryDirectory() as scratch:
            path = plot_training(
                record.history, Path(scratch) / "training.png", loss, (yardstick, record.linear)
            )
            drawn = [figure(path, "Loss by step, on the pairs of training and on those held out.")]
    parts = [
        paragraph(f"{inverse.describe()}."),
        section("Certificate", table(("", ""), rows)),
        section("Figures", *drawn, *figures_of(folder)),
        section("Provenance", details("inverse.json", inverse.header() | {"record": vars(record)})),
    ]
    return f"Inverse of {type(inverse.rule).__name__}(b={inverse.b})", parts
