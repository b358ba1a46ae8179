"""Measure how fast this machine simulates, grows and learns."""

from typing import TYPE_CHECKING, Annotated

import typer

from kadanoff.cli.parsing import Json

if TYPE_CHECKING:
    from kadanoff.benchmark import Line

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("bench")
    def bench(
        quick: Annotated[bool, typer.Option("--quick", help="A quarter of the time for every line.")] = False,
        as_json: Json = False,
    ) -> None:
        """Time updates, measuring, growth, training and networks on this machine; print a table in under 3 minutes.

        Site updates count every site of the lattice once a sweep. Reference lines say what bounds the machine; peers
        are timed in the same run.

        \b
        Leave the machine alone meanwhile:
          kadanoff bench
          kadanoff bench --quick --json
        """
        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.task import at_work

        lines: list[tuple[str, Line]] = []
        with at_work() as task:
            import jax

            from kadanoff.benchmark import MEASUREMENTS
            from kadanoff.cores import cores
            from kadanoff.store.layout import versions

            for done, (title, measure) in enumerate(MEASUREMENTS.items()):
                task.progress(done, len(MEASUREMENTS), title)
                lines += [(title, line) for line in measure(0.5 if quick else 2.0)]
            device = jax.devices()[0]
            machine = {
                "device": device.device_kind,
                "platform": device.platform,
                "devices": jax.device_count(),
                "cores": cores(),
                "versions": versions(),
            }
        if as_json:
            rows = [{"group": title, **line.as_dict()} for title, line in lines]
            emit_json({"lines": rows, "machine": machine, "quick": quick, "seconds": task.seconds})
            return
        cells = [(line.what, f"{line.value:.3g}", line.unit, line.how) for _, line in lines]
        print_table(f"{machine['platform']} {machine['device']}, {machine['cores']} cores", _COLUMNS, cells)
        print(f"{task.seconds:.1f} s")


_COLUMNS = ("what", "value", "unit", "how")
