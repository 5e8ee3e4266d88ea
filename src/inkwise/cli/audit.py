"""The audit on the screen: what is being done, and what was found."""

from inkwise.auditing.findings import Audit
from inkwise.cli.progress import Display
from inkwise.cli.show import console, new_table, show_path, show_table

FIRST = 10
"""How many suspects are shown."""


class AuditDisplay(Display):
    """What an audit shows while it works."""

    def step(self, text: str) -> None:
        """Show what is being done as a line that stays."""
        self._console.print(text, soft_wrap=True)


def show_audit(audit: Audit) -> None:
    """Show how much an audit found, the first suspects, and where to decide."""
    names, labels = audit.dataset.class_names, audit.images.labels
    if len(audit.suspects):
        table = new_table("rank", "image", "label", "suggested", "probability", "margin")
        for rank, index in enumerate(audit.suspects[:FIRST], 1):
            table.add_row(
                str(rank),
                str(index),
                names[labels[index]],
                names[audit.suggested[index]],
                f"{audit.probabilities[index].max():.1%}",
                f"{audit.margins[index]:.3f}",
            )
        show_table(table)
    conflicts = sum(pair.conflict for pair in audit.duplicates)
    console.print(
        f"Probably wrong: {audit.wrong:,} of {len(labels):,} labels of {audit.dataset.name}, "
        f"{audit.split} split; doubtful: {len(audit.suspects) - audit.wrong:,} more. "
        f"{len(audit.duplicates):,} pairs of images are the same or nearly, {conflicts:,} of them "
        "with different labels.",
        soft_wrap=True,
    )
    show_path("Page", audit.page_path)
    show_path("Labels", audit.labels_path)
