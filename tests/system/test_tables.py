"""CSV tables: what is written is read, in whatever form a spreadsheet saved it meanwhile."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import DataError
from inkwise.system.tables import parse_decimal, read_csv, write_csv

CELLS = st.text(st.characters(codec="utf-8"), max_size=8)


def test_a_table_is_written_with_its_header(tmp_path: Path) -> None:
    rows: list[list[object]] = [["a, b", '"quoted"'], ["two\nlines", "é"], [1, 0.1]]
    path = write_csv(tmp_path / "table.csv", ["name", "value"], rows)
    with path.open(newline="", encoding="utf-8") as file:
        back = list(csv.reader(file))
    assert back == [["name", "value"], *[[str(cell) for cell in row] for row in rows]]
    assert b"\r" not in path.read_bytes()


@given(texts=st.lists(CELLS))
def test_any_text_comes_back(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_csv(path, ["index", "text"], [["7", text] for text in texts])
    assert read_csv(path, ["index", "text"], "a table").rows == [["7", text] for text in texts]


@given(
    names=st.lists(CELLS, max_size=3),
    cells=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4),
    delimiter=st.sampled_from(",;\t|^"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    above=st.lists(st.sampled_from(["", "Table 1", ",,", "a title; or, two"]), max_size=2),
    below=st.integers(0, 3),
)
def test_whatever_a_spreadsheet_makes_of_a_table_it_is_read(
    names: list[str],
    cells: list[list[str]],
    delimiter: str,
    line_end: str,
    encoding: str,
    above: list[str],
    below: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    header = ["index", "decided", *[f"probability {name.strip()}." for name in names]]
    rows = [
        [str(index), *row, *[""] * len(header)][: len(header)] for index, row in enumerate(cells)
    ]
    buffer = io.StringIO()
    if delimiter == "^":  # only its own line tells
        buffer.write(f"sep={delimiter}{line_end}")
    else:
        buffer.writelines(line + line_end for line in above)
    # Python quotes a "\n" in a cell only where that ends lines.
    writer = csv.writer(
        buffer,
        delimiter=delimiter,
        lineterminator=line_end,
        quoting=csv.QUOTE_MINIMAL if line_end == "\r\n" else csv.QUOTE_ALL,
    )
    writer.writerows([header, *rows, *[[""] * (len(header) + 2)] * below])
    path = tmp_path_factory.getbasetemp() / "saved.csv"
    path.write_bytes(buffer.getvalue().encode(encoding))

    table = read_csv(path, ["index", "decided"], "a table")

    assert table.header == header
    assert table.rows == rows
    assert table.lines == sorted(table.lines)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not a table: it lacks the columns index, decided"),
        (b"index;given\n1;2\n", "it lacks the columns decided$"),
        ("index,decided\n1,é\n".encode("latin-1"), "save it as “CSV UTF-8”$"),
        (b"index,decided\n1,2\n\n1,2,3\n", "line 4 has more cells than the header"),
        (b"index,decided\n1,%s\n" % (b"x" * 200_000), "field larger than field limit"),
    ],
)
def test_what_is_no_such_table_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_csv(path, ["index", "decided"], "a table")


def test_numbers_may_have_a_decimal_comma() -> None:
    assert [parse_decimal(text) for text in ("0,25", "0.25", "1e-3", "1E-3")] == [
        0.25,
        0.25,
        1e-3,
        1e-3,
    ]
    with pytest.raises(ValueError, match="could not convert"):
        parse_decimal("half")
