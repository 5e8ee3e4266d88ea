"""The ``inkwise`` command: its sub-commands, and what becomes of errors."""

import io
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from inkwise.cli.progress import Display
    from inkwise.data.dataset import Dataset

app = typer.Typer(
    help="Train a handwritten-digit CNN, evaluate it honestly, look at every mistake.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="A directory that `inkwise train` wrote.", show_default=False
    ),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A run or a model directory.", show_default=False),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder with MNIST's four files; also INKWISE_DATA_DIR."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Corrected labels, from the page of `inkwise audit`."),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Pictures of your own in place of a data set: a folder with a sub-folder a class.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="NAME", help="Where it trains: auto, cpu, cuda or mps.")
]


def _choose_data(
    name: str | None, folder: Path | None, display: "Display"
) -> "str | Dataset | None":
    """Return the data set's name, or the folder as one; None where neither is given."""
    from inkwise.data.folder import load_folder
    from inkwise.errors import ArgumentError

    if folder is None:
        return name
    if name is not None:
        raise ArgumentError(
            f"--data {folder} and --dataset {name} are two data sets: leave out one of them"
        )
    return load_folder(folder, display.read)


@app.command()
def train(
    recipe: Annotated[
        str,
        typer.Option(metavar="NAME", help="The recipe: case-study, swift, precise or ensemble."),
    ] = "case-study",
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The data set: auto, mnist or optdigits; auto if not given.",
            show_default=False,
        ),
    ] = None,
    folder: FolderOption = None,
    data_dir: DataDirOption = None,
    labels: LabelsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="The run directory, new or empty."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="How often every training image is seen.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in a step.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides weights, order, dropout and augmentation.")
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Rate of dropout before the last layer, 0 to below 1.")
    ] = None,
    augment: Annotated[
        bool,
        typer.Option("--augment", help="Shift, rotate and zoom the training images at random."),
    ] = False,
    optimiser: Annotated[
        str | None, typer.Option(metavar="NAME", help="adam, sgd or muon.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the optimiser.")] = None,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="What trains: torch, or keras, on TensorFlow.")
    ] = "torch",
    device: DeviceOption = "auto",
) -> None:
    """Train a network, evaluate it, and write the report: a run directory with everything in it.

    What is not given is as the recipe says. Ctrl-C ends the training and keeps what is finished;
    `inkwise resume` goes on with it.
    """
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_outcome
    from inkwise.run import INTERRUPTED
    from inkwise.study import train as train_run

    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "dropout": dropout,
        "optimiser": optimiser,
        "learning_rate": learning_rate,
    }
    with Display() as display:
        run = train_run(
            recipe,
            _choose_data(dataset, folder, display) or "auto",
            data_dir=data_dir,
            labels=labels,
            output=output,
            augment=augment,
            engine=engine,
            device=device,
            on_notice=display.notice,
            on_download=display.download,
            on_batch=display.batch,
            on_epoch=display.epoch,
            **{name: value for name, value in given.items() if value is not None},
        )
    show_outcome(run)
    if run.status == INTERRUPTED:
        raise typer.Exit(130)


@app.command()
def resume(
    run: RunArgument,
    folder: FolderOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Go on with a training that was interrupted, or that died, from its last finished epoch."""
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_outcome
    from inkwise.data.folder import load_folder
    from inkwise.run import INTERRUPTED
    from inkwise.study import resume as resume_run

    with Display() as display:
        outcome = resume_run(
            run,
            dataset=None if folder is None else load_folder(folder, display.read),
            data_dir=data_dir,
            device=device,
            on_notice=display.notice,
            on_download=display.download,
            on_batch=display.batch,
            on_epoch=display.epoch,
        )
    show_outcome(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)


@app.command()
def evaluate(
    run: RunArgument,
    split: Annotated[str, typer.Option(metavar="NAME", help="test, validation or train.")] = "test",
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Another data set than the run's own.", show_default=False
        ),
    ] = None,
    folder: FolderOption = None,
    data_dir: DataDirOption = None,
    labels: LabelsOption = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Evaluate the binary task: is it this class?"),
    ] = None,
) -> None:
    """Compute all metrics again from the saved model, and write them into the run."""
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_binary, show_evaluation, show_findings
    from inkwise.run import Run
    from inkwise.study import evaluate as evaluate_run

    with Display() as display:
        evaluation = evaluate_run(
            run,
            split,
            dataset=_choose_data(dataset, folder, display),
            data_dir=data_dir,
            labels=labels,
            on_notice=display.notice,
            on_download=display.download,
        )
    if positive is None:
        show_evaluation(evaluation)
        show_findings(Run(run).slices(evaluation))
    else:
        show_binary(evaluation, positive)


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="At least two directories that `inkwise train` wrote, on the same data.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a page about it as well, with the images on which the runs disagree.",
        ),
    ] = None,
) -> None:
    """Tell whether runs differ by more than luck with the test images, and what may be concluded.

    Their answers are paired image by image. Runs of one recipe with several seeds are summed up.
    """
    from inkwise.cli.show import show_comparison, show_path
    from inkwise.comparing import compare as compare_runs
    from inkwise.report.comparison import write_comparison

    comparison = compare_runs(*runs)
    show_comparison(comparison)
    if output is not None:
        show_path("Page", write_comparison(comparison, output))


@app.command()
def robustness(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Directories that `inkwise train` wrote, of one data set.",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A run to compare with.", show_default=False),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="test, validation or train.")] = "test",
    images: Annotated[
        int, typer.Option(help="How many of its images, each class at its share.")
    ] = 2_000,
    through_ink: Annotated[
        bool,
        typer.Option("--through-ink", help="Let ink find the digit first, as `predict` does."),
    ] = False,
    attacks: Annotated[
        bool,
        typer.Option("--attacks", help="Attack the network, too, by its gradient: FGSM and PGD."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Measure how right models stay on noise, blur, fog, lines, moved and turned digits.

    The fifteen corruptions of MNIST-C in five severities, and curves over shift, rotation and size,
    with 95% intervals: robustness.json and figures/robustness.png in each RUN.
    """
    from inkwise.cli.robustness import RobustnessDisplay, show_robustness
    from inkwise.robustness import measure_robustness

    with RobustnessDisplay() as display:
        results = measure_robustness(
            runs,
            baseline=baseline,
            split=split,
            images=images,
            through_ink=through_ink,
            attacks=attacks,
            data_dir=data_dir,
            on_notice=display.notice,
            on_download=display.download,
            on_step=display.step,
        )
    show_robustness(runs, results)


@app.command()
def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Pictures of one digit each; folders of them; patterns, such as 'scans/*.png'; "
            "or - for a picture in standard input.",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A run or a model directory; the model that comes with inkwise if not given.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line, for other programs.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a table with a header.")] = False,
) -> None:
    """Tell what pictures show, or that they show no digit: a line a picture.

    Photos, scans and drawings of any size, dark on light or light on dark. At a terminal, a
    single picture is drawn as the network saw it. The exit code is 1 if one could not be read.
    """
    from inkwise.cli.answers import find_sources, show_answers, show_csv, show_json
    from inkwise.errors import ArgumentError
    from inkwise.predict import predict_files
    from inkwise.pretrained import load_pretrained
    from inkwise.run import find_model

    if json and csv:
        raise ArgumentError("--json and --csv are two forms of the same answers: choose one")
    chosen = load_pretrained() if model is None else find_model(model)
    sources = find_sources(files)
    answers = predict_files(chosen, sources)
    if json:
        complete = show_json(answers)
    elif csv:
        complete = show_csv(answers)
    else:
        complete = show_answers(answers, [source.name for source in sources])
    if not complete:
        raise typer.Exit(1)


@app.command()
def serve(
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run or a model directory; the model that comes with inkwise if not given.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 for every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for one that is free.")] = 8000,
    workers: Annotated[
        int, typer.Option(help="Processes that share the port; one a core is fastest.")
    ] = 1,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="What callers must bring; better in the environment, as INKWISE_TOKEN, where "
            "others on the machine do not see it.",
            show_default=False,
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Whose pages may ask from a browser, as https://example.com. Can be given several "
            "times.",
            show_default=False,
        ),
    ] = None,
    keep_corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the pictures that users of the page correct, for `inkwise train --data "
            "DIR`; nothing is kept if not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Answer about pictures over HTTP, until Ctrl-C: for programs, other machines, and browsers.

    At its address is a page to draw on.

    SIGTERM ends it when all that was asked is answered; SIGHUP loads the model again.
    """
    from inkwise.serving.server import serve as serve_model

    serve_model(
        model,
        host=host,
        port=port,
        workers=workers,
        token=token,
        cors=cors or (),
        keep_corrections=keep_corrections,
        # Standard output is the log's.
        on_ready=lambda address: typer.echo(
            f"inkwise serves on {address}, and what it takes is on {address}/docs", err=True
        ),
    )


@app.command()
def report(
    run: RunArgument,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    notebook: Annotated[
        bool,
        typer.Option("--notebook", help="Write report.ipynb as well, for Jupyter."),
    ] = False,
) -> None:
    """Write the figures and the report of a run again, from the run's own files."""
    from inkwise.cli.show import show_path
    from inkwise.report.notebook import write_notebook
    from inkwise.report.page import write_report
    from inkwise.run import Run

    path = write_report(Run(run))
    show_path("Report", path)
    if notebook:
        show_path("Notebook", write_notebook(run))
    if open_:
        _open_page(path)


def _open_page(path: Path) -> None:
    if not webbrowser.open(path.resolve().as_uri()):
        typer.echo("No browser answered: open the file yourself.", err=True)


@app.command()
def explain(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="A run or a model directory; the model that comes with inkwise if not given.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A picture of one digit.", show_default=False),
    ] = None,
    index: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="An image of the run's data set, from 0.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Of --index: test, validation or train.")
    ] = "test",
    against: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="What to compare the answer with: the true class of a mistake, else the "
            "runner-up, if not given.",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page, which is replaced if it exists; named after the picture if not given.",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Show what the answer about one picture hangs on: a page of maps and similar images.

    Occlusion, integrated gradients and Grad-CAM, and the nearest training images of a run.
    Without the extra "train", occlusion alone.
    """
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_explanation, show_path
    from inkwise.explanation.explanation import explain as explain_picture
    from inkwise.explanation.page import write_explanation
    from inkwise.pretrained import load_pretrained

    with Display() as display:
        explanation = explain_picture(
            load_pretrained() if model is None else model,
            image,
            index=index,
            split=split,
            against=against,
            data_dir=data_dir,
            on_notice=display.notice,
            on_download=display.download,
        )
    name = f"{split}-{index}" if image is None else Path(image).stem
    path = write_explanation(explanation, output or Path(f"{name}-explained.html"))
    show_explanation(explanation)
    show_path("Page", path)
    if open_:
        _open_page(path)


@app.command("map")
def map_(
    run: RunArgument,
    split: Annotated[str, typer.Option(metavar="NAME", help="test, validation or train.")] = "test",
    count: Annotated[int, typer.Option(metavar="N", help="Images on the map, at most.")] = 2_000,
    data_dir: DataDirOption = None,
) -> None:
    """Draw which images are alike to the network, and where its mistakes lie among them.

    By PCA and t-SNE of what its last layer is given; into the run's figures, as PNG and SVG.
    """
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_path
    from inkwise.explanation.map import write_map

    with Display() as display:
        path = write_map(
            run,
            split,
            count=count,
            data_dir=data_dir,
            on_notice=display.notice,
            on_download=display.download,
        )
    show_path("Map", path)


@app.command()
def export(
    model: ModelArgument,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="onnx, onnx-int8, keras, h5 or torchscript.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file, which is replaced if it exists; named after data set and recipe if "
            "not given: mnist_cnn_model.h5 for the case study.",
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Let a model that looks at an image at several angles look once: faster, and a "
            "little less accurate. It needs a RUN and its images.",
        ),
    ] = False,
) -> None:
    """Write a model for another program: the same probabilities, within 0.00001.

    onnx and torchscript take grey levels, uint8 (N, H, W), light ink on a black ground.

    keras and h5 take float32 (N, H, W, 1) from 0 to 1. Writing them needs the extra "keras".
    onnx-int8 is onnx made faster, with rounded weights; it needs a RUN and its training images.
    """
    from inkwise.cli.show import show_path
    from inkwise.export.formats import export_model

    show_path("Model", export_model(model, file_format, output, once=once))


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A model that Keras saved, as .keras or .h5.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="MODEL",
            help="The model directory, new or empty; named after the file if not given.",
        ),
    ] = None,
    class_names: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="In the order of the outputs, with commas between; 0,1,2 and so on if not given.",
        ),
    ] = None,
) -> None:
    """Make a model directory of a model that Keras saved; no code from the file is run.

    Without a Rescaling layer, the model is taken to expect grey levels divided by 255.

    Light ink on a black ground in either case.
    """
    from inkwise.cli.show import show_path
    from inkwise.export.keras_files import import_keras
    from inkwise.run import claim_folder

    names = None if class_names is None else [name.strip() for name in class_names.split(",")]
    model = import_keras(file, names)
    show_path("Model", model.save(claim_folder(output or Path(file.stem))))


@app.command()
def data(data_dir: DataDirOption = None) -> None:
    """List the data sets, where each would come from, and what is at hand."""
    from inkwise.cli.show import show_datasets
    from inkwise.data.catalogue import describe_datasets

    show_datasets(describe_datasets(data_dir))


@app.command()
def audit(
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="auto, mnist or optdigits.", show_default=False),
    ],
    split: Annotated[
        str, typer.Option(metavar="NAME", help="train, validation images included, or test.")
    ] = "train",
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The directory, new or empty."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Find labels that are probably wrong, near-duplicates and outliers; decide on a page.

    What the page downloads, `inkwise train --labels` and `inkwise evaluate --labels` take.
    """
    from inkwise.auditing.audit import audit as audit_dataset
    from inkwise.cli.audit import AuditDisplay, show_audit

    with AuditDisplay() as display:
        found = audit_dataset(
            dataset,
            split,
            data_dir=data_dir,
            output=output,
            on_notice=display.notice,
            on_download=display.download,
            on_step=display.step,
            on_batch=display.batch,
        )
    show_audit(found)
    if open_ and not webbrowser.open(found.page_path.resolve().as_uri()):
        typer.echo("No browser answered: open the file yourself.", err=True)


@app.command()
def info(run: RunArgument) -> None:
    """Show a run's recipe, network, history and headline numbers."""
    from inkwise.cli.show import show_run
    from inkwise.run import Run

    show_run(Run(run))


@app.command()
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A contender: swift, case-study, keras, pytorch, knn, svm, boosting or mlp. "
            "Can be given several times.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="How often each runs: 3, or 1 of the quick bench.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two minutes: fewer contenders, one round.")
    ] = False,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The directory, new or empty."),
    ] = None,
) -> None:
    """Measure time, accuracy and memory on MNIST, side by side with Keras, PyTorch, scikit-learn.

    Each contender runs in processes of its own, in interleaved rounds; leave the machine alone
    meanwhile. Ctrl-C keeps what is finished. The exit code is 1 if a contender failed.
    """
    from inkwise.bench.bench import run_bench
    from inkwise.cli.bench import BenchDisplay, show_bench
    from inkwise.run import INTERRUPTED

    with BenchDisplay() as display:
        outcome = run_bench(
            only=only or (),
            rounds=rounds,
            quick=quick,
            data_dir=data_dir,
            output=output,
            on_notice=display.notice,
            on_download=display.download,
            on_step=display.step,
            on_outcome=display.outcome,
        )
    show_bench(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)
    if outcome.failures:
        raise typer.Exit(1)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Train a handwritten-digit CNN, evaluate it honestly, look at every mistake."""
    if version:
        import inkwise

        typer.echo(f"inkwise {inkwise.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; errors become one line, exit code 2 for arguments and 1 for the rest."""
    from inkwise.errors import ArgumentError, InkwiseError

    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that has no “×” or “→” gets a question mark, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except InkwiseError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, ArgumentError) else 1)
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        typer.echo(
            f"error: the operating system refused{place}: {error.strerror or error}", err=True
        )
        sys.exit(1)
