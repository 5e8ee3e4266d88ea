"""Recipes as TOML files, and one clear line for each mistake in them."""

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings

from inkwise import get_recipe, read_recipe
from inkwise.errors import ArgumentError, StorageError
from inkwise.networks.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    Residual,
)
from inkwise.networks.network import Network
from inkwise.training.named_recipes import RECIPES
from inkwise.training.recipe import SGD, Adam, Recipe
from inkwise.training.recipe_files import (
    SCHEMA,
    RecipeFile,
    find_recipe,
    recipe_schema,
    template,
    to_toml,
)
from inkwise.training.schedules import Cosine
from tests.networks import networks
from tests.training.test_recipe import RECIPES_DRAWN

BLOCK = Residual(
    (Conv(8, 3, padding="same", init="he_normal", l2=1e-4), BatchNorm(), Activation("relu")),
    (Conv(8, 1),),
)
OWN = (Conv(8, 3, "gelu", groups=1), BLOCK, GlobalPool(), Dense())
VALIDATOR = jsonschema.Draft202012Validator(recipe_schema())
TEXT = to_toml(get_recipe("case-study", name="mine"))


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_is_written_with_its_layers_and_read(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    again = read_recipe(written(tmp_path, to_toml(recipe)))
    assert dataclasses.replace(again, network=recipe.network) == recipe
    assert again.describe_network((28, 28), 10) == recipe.describe_network((28, 28), 10)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=RECIPES_DRAWN, network=networks())
def test_any_recipe_is_read_as_it_was_written(
    drawn: Recipe, network: Network, tmp_path: Path
) -> None:
    name = drawn.name.encode(errors="replace").decode()  # TOML has no half of a pair
    recipe = dataclasses.replace(drawn, name=name, network=(*network.layers[:-1], Dense()))
    text = to_toml(recipe)
    assert read_recipe(written(tmp_path, text)) == recipe
    for document in (tomllib.loads(text), recipe.to_dict()):
        VALIDATOR.validate(document)


def test_every_value_has_a_comment() -> None:
    for recipe in (*RECIPES.values(), get_recipe("swift", augment=True, network=OWN)):
        before = ""
        for line in to_toml(recipe).splitlines():
            if re.match(r"\w+ = (?!\[$)", line) and not before.startswith(("#", "[augmentation.")):
                assert re.match(r"\w+ = [\d.]+$", before), line  # the effects, one by one
            if "layer =" in line and not line.endswith("= ["):
                assert "  # " in line, line
            before = line


def test_what_a_file_leaves_out_is_as_by_default(tmp_path: Path) -> None:
    path = written(tmp_path, 'network = "swift"\n[augmentation]\n')
    recipe = read_recipe(path)
    assert (recipe.name, recipe.network, recipe.epochs) == ("mine", "swift", 5)
    assert recipe.augmentation == get_recipe("swift", augment=True).augmentation


def test_changes_are_those_of_the_values_they_name(tmp_path: Path) -> None:
    changes = [
        "network.2.filters=48",
        "optimiser.learning_rate=0.01",
        "epochs=3",
        "network.0.activation=gelu",
        "augmentation.shift=1",
        "network.7.l2 = 1e-4",
    ]
    recipe = read_recipe(written(tmp_path, TEXT), changes)
    expected = [*template("case-study")]
    expected[0] = Conv(32, 3, "gelu")
    expected[2] = Conv(48, 3, "relu")
    expected[7] = Dense(l2=1e-4)
    assert recipe.network == tuple(expected)
    assert (recipe.optimiser.learning_rate, recipe.epochs) == (0.01, 3)
    assert recipe.augmentation is not None
    assert recipe.augmentation.shift == 1
    by_name, _ = find_recipe("case-study", changes)
    assert isinstance(by_name, Recipe)
    assert dataclasses.replace(by_name, name="mine") == recipe


def test_an_optimiser_without_a_kind_is_adam(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('network = "swift"\n[optimiser]\nlearning_rate = 0.01\n', "utf-8-sig")
    assert read_recipe(path).optimiser == Adam(learning_rate=0.01)
    path.write_text('network = "swift"', "utf-8")
    assert read_recipe(path, ["optimiser.beta1=0.5"]).optimiser == Adam(beta1=0.5)


def test_another_kind_begins_with_its_usual_values() -> None:
    changes = ["schedule.kind=cosine", "schedule.end=0.1", "optimiser.kind=sgd"]
    recipe, _ = find_recipe("swift", changes)
    assert isinstance(recipe, Recipe)
    assert (recipe.schedule, recipe.optimiser) == (Cosine(end=0.1), SGD())
    recipe, _ = find_recipe("swift", ["schedule.kind=one_cycle", "optimiser.kind=muon"])
    assert isinstance(recipe, Recipe)
    assert recipe.to_dict() == get_recipe("swift").to_dict()


def test_a_name_without_changes_stays_a_name() -> None:
    assert find_recipe("swift")[0] == "swift"


@pytest.mark.parametrize(
    ("mistake", "line", "told"),
    [
        # typos
        (("filters = 64", "filter = 64"), 10, "network.2.filter: unknown key 'filter' of conv (di"),
        (("\nepochs = 5", "\nepoch = 5"), 59, "epoch: unknown key 'epoch' (did you mean 'epochs'"),
        (
            ("[optimiser]", "[optimizer]"),
            102,
            "optimizer: unknown key 'optimizer' (did you mean 'o",
        ),
        (
            ('"flatten"', '"flaten"'),
            13,
            "network.5.layer: unknown layer 'flaten' (did you mean 'f",
        ),
        (('"adam"', '"adamw"'), 104, "optimiser.kind: unknown kind 'adamw' (did you mean 'adam'?)"),
        (('"relu"', '"Relu"'), 8, "network.0.activation: activation must be linear, relu, "),
        (('"last"', '"lost"'), 126, "holdout.method: must be last or stratified, not 'lost' (did"),
        # values
        (("\nepochs = 5", '\nepochs = "five"'), 59, "epochs: must be a whole number, not 'five'"),
        (("\nepochs = 5", "\nepochs = 2.5"), 59, "epochs: must be a whole number, not 2.5"),
        (("\nepochs = 5", "\nepochs = 0"), 59, "epochs: the epochs must be a whole number from 1 "),
        (("\nepochs = 5", "\nepochs = true"), 59, "epochs: must be a whole number, not true"),
        (
            ("rate = 0.001", 'rate = "0.001"'),
            106,
            "optimiser.learning_rate: must be a number, not ",
        ),
        (
            ("rate = 0.001", "rate = -1"),
            106,
            "optimiser.learning_rate: the learning rate must be a",
        ),
        (("batch_norm = false", "batch_norm = 0"), 27, "batch_norm: must be true or false, not 0"),
        (
            ("share = 0.2", "share = 2"),
            129,
            "holdout.share: the validation share must lie between",
        ),
        (
            ('weights = "none"', 'weights = "balance"'),
            48,
            "class_weights: must be none or balanced, not 'balance' (did you mean 'balanced'?)",
        ),
        (('weights = "none"', "weights = { 7 = 0 }"), 48, "the weight of the class 7 must be ab"),
        # networks
        (('{ layer = "dense" },', ""), 14, "network.6.activation: the last layer has the activa"),
        (('{ layer = "dense" }', '{ layer = "dense", activation = "relu" }'), 15, "leave it out"),
        (("kernel = 3", "kernal = 3"), 8, "network.0.kernal: unknown key 'kernal' of conv (did y"),
        (("filters = 32, ", ""), 8, "network.0: conv needs filters"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(
    mistake: tuple[str, str], line: int, told: str, tmp_path: Path
) -> None:
    path = written(tmp_path, TEXT.replace(*mistake, 1))
    with pytest.raises(ArgumentError) as refused:
        read_recipe(path)
    message = str(refused.value)
    assert message.startswith(f"{path}, line {line}")
    assert told in message
    assert "\n" not in message


SCHEDULED = dataclasses.replace(
    get_recipe("case-study", name="mine", network=OWN, augment=True), schedule=Cosine()
)


def refusal(path: Path) -> str:
    """Return why a recipe is refused; nothing if it is read."""
    try:
        read_recipe(path)
    except ArgumentError as error:
        return str(error)
    return ""


def without_each_mark(text: str) -> Iterator[tuple[int, str, str]]:
    """Leave out each bracket, quotation mark, comma and = outside comments, one at a time."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        for found in re.finditer(r'["\[\]{},=]', re.sub("#.*", "", line)):
            changed = line[: found.start()] + line[found.end() :]
            yield number + 1, found[0], "\n".join([*lines[:number], changed, *lines[number + 1 :]])


def test_every_mark_that_is_missing_is_named_in_its_line(tmp_path: Path) -> None:
    fitting = {
        "=": r"= is missing after \w+|write key = value",
        ",": "comma is missing",
        '"': "quotation mark is missing",
        "[": r"a \[ is missing|a value is missing after =",
        "]": r"(a|bracket) \] is missing",
        "{": r"a \{ is missing",
        "}": r"a \} is missing",
    }
    read = 0
    for number, mark, text in without_each_mark(to_toml(SCHEDULED)):
        path = written(tmp_path, text)
        told = refusal(path)
        if not told:  # the last comma of a list
            assert mark == ","
            read += 1
            continue
        place = re.match(rf"{re.escape(str(path))}, line (\d+): (.*)", told)
        assert place, told
        assert re.search(fitting[mark], place[2]), (mark, told)
        assert number <= int(place[1]) <= number + (4 if mark == "]" else mark == ","), told
    assert read == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("epochs == 5", "one = is enough"),
        ("epochs: 5", "write = in place of :"),
        ("epochs =", "a value is missing after ="),
        ("epochs = # five", "a value is missing after ="),
        ("epochs = five", 'write "five", in quotation marks, if it is text, and numbers as 5'),
        ("epochs = 05", "a number does not begin with 0"),
        ("epochs = 5;", "in place of ;"),
        ("epochs = 5,", "leave out the comma at the end"),
        ("epochs = 5 // five", "a comment begins with #, and not with //"),
        ("epochs = 5 seed = 1", "one value stands in a line, and seed = 1 does not belong"),
        ("dropout = 0,5", "write a point in place of the decimal comma"),
        ("dropout = .5", "write 0.5 in place of .5"),
        ("dropout = 1.", "write 1.0 in place of 1."),
        ("batch size = 64", "a key is one word, such as batch_size"),
        ("let epochs be 5", "write key = value"),
        ("calibrate = True", "write true, in small letters, in place of True"),
        ("calibrate = no", "write false, in small letters, in place of no"),
        ("schedule = None", "there is no None in TOML: leave the key out"),
        ("name = “mine”", "write straight quotation marks"),
        ("name = `mine`", "write straight quotation marks"),
        ("name = «mine»", "write straight quotation marks"),
        ("name = 'mine", "a quotation mark is missing in the line"),
        (r'name = "C:\mine"', r"write \\ in place of \ in text"),
        ("epochs\N{NO-BREAK SPACE}= 5", "does not belong here, U+00A0"),
        ("rotations = (0, 5)", "write [ ] around a list"),
        ("rotations = [0,, 5]", "a comma is too many"),
        ("rotations = [0 5]", "a comma is missing before 5"),
        ("rotations = [0, 5]]", "a [ is missing before a ], or the ] is too many"),
        ("holdout = {share = 0.2,}", "leave out the comma before the }"),
        ("holdout = {share = 0.2, share = 0.3}", "share stands here for the second time"),
        ("epochs = 5\nepochs = 6", "epochs stands here for the second time"),
        ("[optimiser]\nbeta1 = 0.5\n[optimiser]", "optimiser stands here for the second time"),
        ("(optimiser)", "and no ( )"),
        ("#\nepochs 5", "a = is missing after epochs"),
        ("<html>", "a line is key = value"),
    ],
)
def test_a_mistake_of_writing_is_told_with_its_line_and_what_to_write(
    wrong: str, told: str, tmp_path: Path
) -> None:
    path = written(tmp_path, f'network = "swift"\n{wrong}\nseed = 3\n')
    line = 2 + wrong.count("\n")
    with pytest.raises(ArgumentError, match=re.escape(f"{path}, line {line}: ")) as refused:
        read_recipe(path)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epochs = 3", "network is missing: write network = "),
        ("", "network is missing"),
        ("network = 3", "line 1, network: must be a name in quotation marks or a list of layers"),
        ("[network]\nlayer = 'dense'", "line 1, network: must be a name in quotation marks or a l"),
        ("network = ['conv']", "network.0: a layer is written as {layer = "),
        ("[recipe]\nnetwork = 'swift'", "line 1, recipe: unknown key 'recipe'"),
        (
            "network = 'swift'\nshift = 2",
            "line 2, shift: shift belongs to augmentation: write augme",
        ),
        (
            "network = 'swift'\nlr = 0.1",
            "unknown key 'lr' (did you mean 'learning_rate'?), which b",
        ),
        ("network = 'swift'\nxyz = 1", "unknown key 'xyz': use name, network, dropout, augm"),
        (
            "network = 'swift'\nschedule = 'cosine'",
            "schedule: write schedule.kind = 'cosine' in it",
        ),
        ("network = 'swift'\noptimiser = 'SGD'", "optimiser.kind = 'SGD' in its place (did you m"),
        ("network = 'swift'\nlearning_rate = 2", "learning_rate belongs to optimiser"),
        ("network = 'swift'\n[optimiser]\nepochs = 2", "line 3, optimiser.epochs: epochs belongs "),
        ("network = 'swift'\naugmentation = true", "below a line [augmentation], not true"),
        ("network = 'swift'\n[[holdout]]\nshare = 0.2", "[holdout], not a list of tables"),
        ("network = 'swift'\nseed = 2026-01-01", "a whole number, not the date 2026-01-01"),
        ("network = 'swift'\nseed = " + "9" * 5000, "a number has too many digits"),
        ("network = 'swift'\nseed = " + "[" * 5000, "too many brackets stand in one another"),
    ],
)
def test_what_stands_in_the_wrong_place_or_form_is_told(
    text: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=re.escape(told)):
        read_recipe(written(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_recipe_is_read_as_any_editor_writes_it(
    encoding: str, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    text = TEXT.replace(" = ", "\t=\t").replace("\n", ending)
    path.write_bytes(text.encode(encoding))
    assert read_recipe(path) == get_recipe(
        "case-study", name="mine", network=template("case-study")
    )


def test_recipe_json_is_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    for document in ({"schema": SCHEMA, **SCHEDULED.to_dict()}, SCHEDULED.to_dict()):
        path.write_text(json.dumps(document, indent=2))
        assert read_recipe(path) == SCHEDULED
        assert read_recipe(path, ["epochs=9"]).epochs == 9
    for text, told in {
        '{"network": "swift",\n"epochs": 5,}': "recipe.json, line 2: ",
        '{"network": "swift", "epochs": 5, "epochs": 6}': "stands there twice",
        '{"network": "swift", "epochs": "5"}': "recipe.json, epochs: must be a whole number",
    }.items():
        path.write_text(text)
        with pytest.raises(ArgumentError, match=told):
            read_recipe(path)


def test_what_lies_beside_a_recipe_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    with pytest.raises(ArgumentError, match=r"did you mean .*mine\.toml"):
        find_recipe(str(path.with_suffix("")))
    with pytest.raises(
        ArgumentError, match=r"is a folder, .*: pictures to train on are named with"
    ):
        find_recipe(str(tmp_path))
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(ArgumentError, match=r"is a run: .*recipe\.json is its recipe"):
        find_recipe(str(tmp_path))
    path = path.with_name("digits.csv")
    path.write_text("label,pixel\n1,2\n")
    with pytest.raises(ArgumentError, match=r"line 1: .* tables to train on are named with --data"):
        find_recipe(str(path))
    for file in ("mine.toml", Path("mine.toml")):
        with pytest.raises(
            ArgumentError, match=r"mine\.toml is no name of a recipe: inkwise.read_r"
        ):
            get_recipe(file)  # type: ignore[arg-type]


def test_a_mistake_in_a_residual_block_is_found_in_its_line(tmp_path: Path) -> None:
    text = to_toml(get_recipe("case-study", network=OWN))
    assert read_recipe(written(tmp_path, text)).network == OWN
    number = next(
        place for place, line in enumerate(text.splitlines(), 1) if '"batch_norm" }' in line
    )
    path = written(tmp_path, text.replace('"batch_norm" }', '"batch_norm", size = 2 }', 1))
    with pytest.raises(ArgumentError, match=f"line {number}, network.1.layers.1.size: unk"):
        read_recipe(path)


def test_layers_that_do_not_fit_are_named_when_the_images_are_known(tmp_path: Path) -> None:
    file = RecipeFile(written(tmp_path, TEXT.replace('{ layer = "flatten" },', "")))
    place = r"mine\.toml, line 14, network\.5: dense1, .* 3×3×64"
    with pytest.raises(ArgumentError, match=place), file.explained():
        file.recipe.describe_network((28, 28), 10)
    with pytest.raises(ArgumentError, match=r"^about the data$"), file.explained():
        raise ArgumentError("about the data")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("epochs", "--set epochs is not of the form KEY=VALUE"),
        ("=3", "--set =3 is not of the form KEY=VALUE"),
        ("network.99.filters=3", "there is no network.99.filters in the recipe"),
        ("epochs.first=3", "there is no epochs.first in the recipe"),
        ("network.2.filter=3", "--set network.2.filter: unknown key 'filter' of conv"),
        ("optimiser.learning_rate=fast", "--set optimiser.learning_rate: must be a number"),
        ("colour=red", "--set colour: unknown key 'colour'"),
    ],
)
def test_a_change_that_makes_no_sense_is_named(change: str, told: str, tmp_path: Path) -> None:
    for refuse in (
        lambda: read_recipe(written(tmp_path, TEXT), [change]),
        lambda: find_recipe("case-study", [change]),
    ):
        with pytest.raises(ArgumentError, match=re.escape(told)):
            refuse()


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.toml"):
        read_recipe(tmp_path / "nowhere.toml")
    (tmp_path / "mine.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ArgumentError, match="is not text in UTF-8"):
        read_recipe(tmp_path / "mine.toml")
    with pytest.raises(ArgumentError, match="of another version"):
        read_recipe(written(tmp_path, 'schema = "inkwise-recipe/9"\nnetwork = "swift"'))
    with pytest.raises(ArgumentError, match="is an ensemble"):
        read_recipe(written(tmp_path, 'network = "ensemble"'), ["network.0.filters=3"])


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"network": "lenet"},
        {"network": []},
        {"network": [{"layer": "conv", "filters": 3}]},
        {"network": [{"layer": "conv", "filters": 3, "kernel": "3"}]},
        {"network": [{"layer": "conv", "filters": 3, "kernel": 3, "size": 2}]},
        {"network": "swift", "epochs": "five"},
        {"network": "swift", "epoch": 5},
        {"network": "swift", "optimiser": {"kind": "sgd", "beta1": 0.9}},
        {"network": "swift", "optimiser": {"learning_rate": 0.9}},
    ],
)
def test_the_schema_refuses_what_the_reader_does(document: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


def test_a_network_of_ones_own_ends_in_the_classes() -> None:
    recipe = get_recipe("case-study", network=(Flatten(), Dense()), dropout=0.5)
    assert recipe.describe_network((8, 9), 3).classes == 3
    with pytest.raises(ArgumentError, match="batch_norm puts batch normalisation behind every"):
        get_recipe("case-study", network=OWN, batch_norm=True)
    with pytest.raises(ArgumentError, match="a name or a tuple of layers"):
        get_recipe("case-study", network=[Flatten(), Dense()])


def test_class_weights_are_a_word_or_a_table(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, TEXT), ["class_weights=balanced"])
    assert recipe.class_weights == "balanced"
    for changes in (
        ["class_weights.7=2", "class_weights.a b=0.5"],
        ["class_weights={7 = 2, 'a b' = 0.5}"],
    ):
        recipe = read_recipe(written(tmp_path, TEXT), changes)
        assert recipe.class_weights == {"7": 2, "a b": 0.5}
        assert read_recipe(written(tmp_path, to_toml(recipe))) == recipe
