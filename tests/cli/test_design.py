"""design: the table, the remarks and the drawing of a network."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from inkwise.networks.ensemble import Ensemble
from inkwise.networks.named import NETWORKS
from inkwise.pages.network_drawing import draw_network
from tests.cli.conftest import Call

SVG = "{http://www.w3.org/2000/svg}"


def test_a_network_is_shown_as_a_table(call: Call) -> None:
    result = call("design", "case-study", "--set", "network.2.filters=48")
    rows = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    for part in ("11×11×48", "13,872", "1,672,704", "8×8"):
        assert part in rows["conv2"]
    assert "conv3 sees 18×18 pixels" in result.out


@pytest.mark.parametrize("name", NETWORKS)
def test_a_drawing_has_every_layer_and_fits_a_phone(call: Call, name: str, tmp_path: Path) -> None:
    result = call("design", name, "--output", tmp_path / "net.svg")
    assert result.code == 0
    text = (tmp_path / "net.svg").read_text(encoding="utf-8")
    network = NETWORKS[name]((28, 28), 10, 0.0)
    assert text == draw_network(network)
    drawing = ElementTree.fromstring(text)  # noqa: S314 - it is our own
    assert float(drawing.attrib["viewBox"].split()[2]) <= 360
    told = [element.text or "" for element in drawing.iter(f"{SVG}text")]
    for line in network.summary():
        if line.multiply_adds:
            shape = "×".join(map(str, line.output_shape))
            assert f"{shape}, {line.parameter_count:,} parameters" in told
    shares = [int(share) for it in told for share in re.findall(r"^(\d+)% of the work$", it)]
    members = len(network.members) if isinstance(network, Ensemble) else 1
    assert sum(shares) == pytest.approx(100 * members, abs=4 * members)
    for rectangle in drawing.iter(f"{SVG}rect"):
        assert 0 <= float(rectangle.attrib["x"]) <= 360 - float(rectangle.attrib["width"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        *(
            (
                ["--size", size],
                f"--size must be HEIGHTxWIDTH, such as 28x28, each from 1 to 65,536, not '{size}'",
            )
            for size in ("28", "28x", "0x0", "28x0", "-1x5", "99999x5", "9999999999x5", "²x5")
        ),
        *(
            (["--classes", classes], f"--classes must be a number from 1 to 65,536, not {classes}")
            for classes in ("0", "-3", "65537")
        ),
        (["--size", "8x8"], "images of 8×8 do not fit the network case-study: pool2, layer 3"),
        (["--output", "net.png"], "the drawing is an SVG file: let net.png end in .svg"),
        (["case-stdy"], "unknown recipe 'case-stdy' (did you mean 'case-study'?)"),
    ],
)
def test_what_cannot_be_shown_is_one_line(call: Call, arguments: list[str], told: str) -> None:
    result = call("design", *arguments)
    assert result.code == 2
    assert result.err.startswith(f"error: {told}")
    assert result.err.count("\n") == 1
