"""Train the phi^4 neural network and its limits, sample it, look inside it, score data."""

import typer

from kadanoff.cli.rbm import features, fit, sample, score

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb, which has four of its own."""

    @app.callback()
    def rbm() -> None:
        """Train the phi^4 neural network and its limits, sample it, look inside it, score data.

        \b
        Learn the bundled digits, then draw, look and score:
          kadanoff rbm fit digits --n-hidden 64 --epochs 20 --out runs/digits
          kadanoff rbm sample runs/digits --count 64
          kadanoff rbm features runs/digits
          kadanoff rbm score runs/digits
        """

    for command in (fit, sample, features, score):
        command.register(app)
