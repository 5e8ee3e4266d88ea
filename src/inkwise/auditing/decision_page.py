"""The page of an audit, on which a person decides: one self-contained HTML file."""

from pathlib import Path
from typing import Any

from inkwise.auditing.findings import Audit
from inkwise.data.label_corrections import COLUMNS
from inkwise.pages.templates import data_uri, page_template
from inkwise.system.files import write_text

TEMPLATE = "audit.html.jinja"

MOST = 2_000
"""Largest number of suspects, and of duplicates, on the page; the CSV files hold all of them."""


def write_page(audit: Audit, document: dict[str, Any]) -> Path:
    """Write the page of an audit.

    Parameters
    ----------
    audit : Audit
        The findings of the audit.
    document : dict
        The content of the audit's ``audit.json``.

    Returns
    -------
    Path
        ``audit.html`` in the audit's directory.

    Raises
    ------
    StorageError
        The page cannot be written.
    """
    labels, margins = audit.images.labels, audit.margins
    decisions = audit.decisions()[:MOST]
    template = page_template(TEMPLATE, "auditing", percent=lambda share: f"{share:.1%}")
    html = template.render(
        document=document,
        columns=COLUMNS,
        names=audit.dataset.class_names,
        wrong=audit.wrong,
        cards=[
            {
                "decision": decision,
                "picture": data_uri(audit.images.images[decision.index]),
                "own": audit.probabilities[decision.index, labels[decision.index]],
                "suggested": audit.probabilities[decision.index].max(),
                "margin": margins[decision.index],
            }
            for decision in decisions
        ],
        pairs=[
            (
                pair,
                data_uri(audit.images.images[pair.index]),
                data_uri(getattr(audit.dataset, pair.other_split).images[pair.other_index]),
            )
            for pair in audit.duplicates[:MOST]
        ],
        outliers=[
            (
                int(index),
                data_uri(audit.images.images[index]),
                labels[index],
                audit.suggested[index],
                audit.probabilities[index].max(),
            )
            for index in audit.outliers
        ],
    )
    return write_text(audit.page_path, html)
