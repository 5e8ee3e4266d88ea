"""The command that shows a run."""

from typing import Any

from rich.table import Table
from rich.text import Text

from inkwise.cli.console import console, new_table, show_path, show_table
from inkwise.cli.evaluate import show_headline
from inkwise.cli.options import RunArgument


def info(run: RunArgument) -> None:
    """Show a run's recipe, network, history and main metrics."""
    from inkwise.runs.directory import Run

    shown = Run(run)
    record, history = shown.record, shown.history
    splits = record["splits"]
    facts: dict[str, Any] = {
        "data": f"{record['dataset']['title']}, from {record['dataset']['source']}",
        "splits": ", ".join(f"{count:,} {name}" for name, count in splits.items()),
    }
    if shown.trained:
        recipe = shown.recipe
        facts = {
            "recipe": recipe.name,
            "run": shown.path,
            "status": f"{shown.status}, {len(history)} of {recipe.epochs} epochs",
            **facts,
            **{
                name.replace("_", " "): value
                for name, value in vars(recipe).items()
                if name not in ("name", "network")
            },
            "engine": record["engine"],
        }
    else:
        facts = {"model": f"{shown.origin}, trained elsewhere", "run": shown.path, **facts}
    if (labels := record.get("labels")) is not None:
        changed = ", ".join(f"{count:,} {part}" for part, count in labels["changed"].items())
        facts["labels"] = f"corrected by {labels['file']}: {changed}"
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(name, "bold"), str(value))
    show_table(grid)
    for notice in record["notices"]:
        console.print(notice, style="yellow", soft_wrap=True)
    if history or not shown.trained:
        network = shown.model.network
        table = new_table("layer", "what it does", "output", "parameters", "operations", left=2)
        for line in network.summary():
            table.add_row(
                line.name,
                str(line.layer),
                "×".join(map(str, line.output_shape)),
                f"{line.parameter_count:,}",
                f"{line.flops:,}",
            )
        table.add_section()
        table.add_row("all", "", "", f"{network.parameter_count:,}", f"{network.flops:,}")
        show_table(table)
        for epoch in history:
            console.print(str(epoch), soft_wrap=True)
    if shown.metrics is not None:
        show_headline(shown.evaluation)
    if shown.report_path.exists():
        show_path("Report", shown.report_path)
