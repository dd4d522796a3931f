"""The command line. Nothing slow is imported before a command needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.memory import keep_freed_memory
from pipelines.explained import explained

app = typer.Typer(
    name="audit", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="Why is my image classification network not learning, and what do I fix first?",
    context_settings={"help_option_names": ["-h", "--help"]})

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Entry point of the command `audit`."""
    keep_freed_memory()
    app()


@app.command()
def run(
    data: Annotated[str, typer.Argument(
        help="Folder with one sub-folder a class (perhaps under train/val/test), or a CSV or "
             "Parquet table path,label[,split][,group]; or the URL of one, as s3://bucket/photos "
             "(docs/remote.md).")],
    out: Annotated[Path | None, typer.Option(
        help="Folder for the results. Default: reports/<dataset>/<run id>.")] = None,
    labels: Annotated[str | None, typer.Option(
        help="Table to read labels from; its paths are relative to DATA.")] = None,
    label_column: Annotated[str, typer.Option(help="Column of the table with labels.")] = "label",
    backbone: Annotated[str, typer.Option(
        help="auto, patches, a network of keras.applications such as mobilenet_v2, or your own: "
             "MODEL.keras or FILE.py:FUNCTION.")] = "auto",
    effort: Annotated[str, typer.Option(
        help="low (about a minute for 10,000 small images), normal (minutes) or high.",
    )] = "normal",
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(help="Same data, seed and versions: same findings.")] = 0,
    workers: Annotated[int | None, typer.Option(
        help="Processes that read images. Default: one a core, of a store four.")] = None,
    engine: Annotated[str, typer.Option(help=(
        "Where images are measured: local, or ray (a cluster; docs/scale.md)."))] = "local",
    ray_address: Annotated[str | None, typer.Option(
        help="Of a running Ray cluster; without it, --engine ray starts one on this machine.",
    )] = None,
    runtime: Annotated[str, typer.Option(
        help="What runs the network: auto, tensorflow or openvino.")] = "auto",
    pred_probs: Annotated[Path | None, typer.Option(
        help="Out-of-fold probabilities of your own model: image_id and one column a class.",
    )] = None,
    embeddings: Annotated[Path | None, typer.Option(
        help="Embeddings of your own model: .npy in the order of images.csv, or a table with "
             "image_id.")] = None,
    hold_out: Annotated[str | None, typer.Option(
        help="Split, or share such as 0.2, that is not looked at, for `audit train` to measure on.",
    )] = None,
    config: Annotated[Path | None, typer.Option(
        help="TOML with thresholds, a table [checks.CODE] a check.")] = None,
    no_cache: Annotated[bool, typer.Option(
        "--no-cache", help="Compute everything anew, and keep nothing for the next run.")] = False,
    debug: Debug = False,
) -> None:
    """Audit an image dataset: what is wrong with it, ranked, with pictures."""
    with explained(debug=debug):
        from rich.console import Console  # noqa: PLC0415

        from audit.places import place_of  # noqa: PLC0415
        from audit.render import print_summary  # noqa: PLC0415
        from pipelines.audit_dataset import audit_dataset  # noqa: PLC0415
        from pipelines.progress import Stages  # noqa: PLC0415
        from pipelines.settings import Settings, default_workers, read_config  # noqa: PLC0415

        place = place_of(data)
        thresholds, disabled = read_config(config) if config else ({}, frozenset[str]())
        settings = Settings(
            data=place, out=out, labels=place_of(labels) if labels else None,
            label_column=label_column, backbone=backbone,
            effort=effort, folds=folds, seed=seed,
            workers=workers if workers is not None else default_workers(place), engine=engine,
            ray_address=ray_address, runtime=runtime,
            pred_probs=pred_probs, embeddings=embeddings, hold_out=hold_out, cache=not no_cache,
            thresholds=thresholds, disabled=disabled)
        finished = audit_dataset(settings, Stages(Console(stderr=True)))
        print_summary(Console(), finished.report, str(finished.path / "report.html"))
        if isinstance(place, Path):
            _compare_with_planted(place, finished.path)


@app.command()
def cache(
    what: Annotated[str, typer.Argument(metavar="info|clear", help="info tells what is kept, clear "
                                                                   "forgets it.")] = "info",
    debug: Debug = False,
) -> None:
    """What audits keep for the next one: see it, or forget it."""
    with explained(debug=debug):
        from pipelines.tell_cache import tell_cache  # noqa: PLC0415

        tell_cache(what)


@app.command()
def checks(
    code: Annotated[str | None, typer.Argument(help="Code of a check, such as label.")] = None,
    debug: Debug = False,
) -> None:
    """List every check, or explain one: meaning, thresholds and where they come from, fix."""
    with explained(debug=debug):
        from pipelines.show_checks import show_checks  # noqa: PLC0415

        show_checks(code)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to make; must not exist or be empty.")],
    seed: Annotated[int, typer.Option(help="Which images get which fault.")] = 0,
    debug: Debug = False,
) -> None:
    """Make a small real dataset (scanned digits) with planted, recorded faults of every kind."""
    with explained(debug=debug):
        from pipelines.build_demo import build_demo  # noqa: PLC0415

        count = build_demo(folder, seed)
        typer.echo(f"{count} images with planted faults in {folder}. Next: audit run {folder}")


@app.command()
def fix(
    run_folder: Annotated[Path, typer.Argument(
        metavar="RUN", help="Folder that `audit run` has written.")],
    out: Annotated[Path, typer.Option(
        help="Folder for the plan and the remedied dataset; what an earlier fix wrote there is "
             "replaced.")],
    mode: Annotated[str, typer.Option(
        help="manifest (a table with paths and weights), symlink or copy (class folders).",
    )] = "manifest",
    decisions: Annotated[Path | None, typer.Option(
        help="Table of what reviewers decided: image_id or file_sha256, decision (keep, relabel, "
             "exclude), label, reviewer.")] = None,
    relabel_above: Annotated[float | None, typer.Option(
        help="Correct a suspected label where another class has at least this probability; else "
             "it is dropped.")] = None,
    suspects: Annotated[str, typer.Option(
        help="drop, or weigh: suspected labels stay, and each label counts as much as it is "
             "believed.")] = "drop",
    class_floor: Annotated[int | None, typer.Option(
        help="Images a class keeps when suspected labels go. Default: 20, and half of what it "
             "had.")] = None,
    include_eval: Annotated[bool, typer.Option(
        "--include-eval", help="Edit the splits val and test too.")] = False,
    balance: Annotated[str, typer.Option(
        help="none, oversample, undersample, inverse_frequency, effective_number, "
             "logit_adjustment, or auto: what helps most when tried.")] = "none",
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
    debug: Debug = False,
) -> None:
    """Make a remedied dataset of a run: a plan, one row an image. Sources are never changed."""
    with explained(debug=debug, unfinished="nothing was written under the name asked for."):
        from rich.console import Console  # noqa: PLC0415

        from pipelines.progress import Stages  # noqa: PLC0415
        from pipelines.remedy_dataset import (  # noqa: PLC0415
            RemedySettings,
            print_remedied,
            remedy,
        )

        settings = RemedySettings(
            run=run_folder, out=out, mode=mode, decisions=decisions, relabel_above=relabel_above,
            class_floor=class_floor, include_eval=include_eval, balance=balance,
            suspects=suspects, seed=seed)
        print_remedied(Console(), remedy(settings, Stages(Console(stderr=True))), settings)


@app.command()
def review(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    port: Annotated[int, typer.Option(help="Port of the page; 0 for any that is free.")] = 8421,
    reviewer: Annotated[str, typer.Option(help="Your name. Default: the page asks.")] = "",
    host: Annotated[str, typer.Option(
        help="Address to listen on; others than 127.0.0.1 let other machines in.")] = "127.0.0.1",
    overlap: Annotated[int, typer.Option(help="People that are to answer each question.")] = 1,
    blind: Annotated[bool, typer.Option(
        help="Say only after an answer what the dataset and the model hold.")] = True,
    further: Annotated[int, typer.Option(
        help="So many labels that were not flagged are asked about too, the worst first.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in this machine's browser.")] = False,
    answers: Annotated[list[Path] | None, typer.Option(
        help="An earlier run whose answers count here too. May be given several times; runs in the "
             "same folder count anyway.")] = None,
    export: Annotated[Path | None, typer.Option(
        help="Write what was answered to this file (fiftyone: folder), and end.")] = None,
    form: Annotated[str, typer.Option(
        "--format", help="Of --export: csv, jsonl, label-studio, cvat or fiftyone.")] = "csv",
    take: Annotated[Path | None, typer.Option(
        "--import", help="Take answers from a CSV, Parquet, JSON Lines or Label Studio's JSON, "
                         "and end.")] = None,
    debug: Debug = False,
) -> None:
    """Serve the flagged images of RUN to labelers, on a local web page."""
    with explained(debug=debug, unfinished="what was answered is kept."):
        from rich.console import Console  # noqa: PLC0415

        from pipelines.review_findings import (  # noqa: PLC0415
            ReviewOptions,
            export_answers,
            import_answers,
            open_review,
            serve,
            tell_answered,
        )

        options = ReviewOptions(port, reviewer, host, overlap, blind, browser)
        opened = open_review(run, answers or (), further)
        console = Console()
        if take is not None:
            count = import_answers(opened, take)
            typer.echo(f"{count:,} answers were taken from {take}.")
            tell_answered(opened, console)
        if export is not None:
            count = export_answers(opened, form, export)
            typer.echo(f"{count:,} answered images are in {export}.")
        if take is None and export is None:
            serve(opened, options, console)


@app.command()
def diagnose(
    data: Annotated[str, typer.Argument(
        help="Folder or table of images, as for audit run, or the folder of a finished run.")],
    model: Annotated[str, typer.Option(
        help="FILE.py:FUNCTION that returns a compiled Keras model (or a model and a dictionary of "
             "epochs, batch_size, scale, class_weight), or a saved MODEL.keras.")],
    out: Annotated[Path | None, typer.Option(
        help="Folder for diagnosis.html and diagnosis.json. Default: reports/NAME/diagnosis, or "
             "diagnosis in the run's folder.")] = None,
    labels: Annotated[Path | None, typer.Option(help="As in audit run.")] = None,
    label_column: Annotated[str, typer.Option(help="As in audit run.")] = "label",
    history: Annotated[Path | None, typer.Option(
        help="Curves of a training that was made: history.history as JSON, the file of "
             "keras.callbacks.CSVLogger, or that of audit.training.Watch.")] = None,
    epochs: Annotated[int | None, typer.Option(
        help="Times through the images. Default: those of --history, else of the model's function, "
             "else 10.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images an update.")] = None,
    quick: Annotated[bool, typer.Option(
        "--quick", help="Fewer and shorter experiments, and no audit of the data.")] = False,
    seed: Annotated[int, typer.Option(help="Of all that is drawn at random.")] = 0,
    debug: Debug = False,
) -> None:
    """Is it the data or is it the model? Experiments on a Keras model that does not learn."""
    with explained(debug=debug, unfinished="nothing was concluded."):
        from rich.console import Console  # noqa: PLC0415

        from audit.errors import UsageError  # noqa: PLC0415
        from audit.places import place_of  # noqa: PLC0415
        from pipelines.diagnose_model import DiagnoseSettings, diagnose_model  # noqa: PLC0415
        from pipelines.progress import Stages  # noqa: PLC0415
        from pipelines.tell_diagnosis import tell  # noqa: PLC0415

        place = place_of(data)
        if not isinstance(place, Path):
            raise UsageError(f"audit diagnose takes a local folder or a run, not {place}. Run "
                             f"`audit run {place}` first, and give the folder of that run.")
        settings = DiagnoseSettings(place, model, out, labels, label_column, history, epochs,
                                    batch_size, quick, seed)
        tell(diagnose_model(settings, Stages(Console(stderr=True))), settings,
             Console(highlight=False))


@app.command()
def gate(
    run: Annotated[Path | None, typer.Argument(
        help="Folder of a finished run. Not needed with --init.")] = None,
    policy: Annotated[Path | None, typer.Option(
        help="TOML file. Default: audit.toml here, if it has a table [gate], else the default "
             "policy.")] = None,
    baseline: Annotated[Path | None, typer.Option(
        help="Another run: only what is new or worse counts.")] = None,
    data: Annotated[str | None, typer.Option(
        help="The data as they are now, a path or URL: it is verified that these were audited.",
    )] = None,
    fail_on: Annotated[str, typer.Option(help="error, or warn to fail on warnings too.")] = "error",
    json: Annotated[Path | None, typer.Option(help="Write the verdict for scripts.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML, a test a check.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0, a result a flag.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a summary of a job.")] = None,
    bless: Annotated[bool, typer.Option(
        "--bless", help="On a pass, write what was certified to RUN/blessing.json.")] = False,
    blessing: Annotated[Path | None, typer.Option(
        help="Another file for --bless.")] = None,
    annotate: Annotated[bool, typer.Option(
        "--annotate", help="Print annotations of GitHub; done there by itself.")] = False,
    init: Annotated[bool, typer.Option(
        "--init", help="Write the default policy to audit.toml (or --policy), and end.")] = False,
    debug: Debug = False,
) -> None:
    """Stop a training on bad data: 0 pass, 1 policy violated, 3 cannot certify."""
    with explained(debug=debug, unfinished="nothing was certified."):
        from audit.errors import UsageError  # noqa: PLC0415
        from audit.places import place_of  # noqa: PLC0415
        from pipelines.gate_dataset import (  # noqa: PLC0415
            POLICY_FILE,
            GateOptions,
            print_verdict,
            write_policy,
        )
        from pipelines.gate_dataset import gate as gate_dataset  # noqa: PLC0415

        if init:
            write_policy(policy or POLICY_FILE)
            typer.echo(f"The default policy is in {policy or POLICY_FILE}.")
            return
        if run is None:
            raise UsageError("audit gate needs the folder of a run, as in: audit gate "
                             "reports/photos/latest")
        options = GateOptions(run, policy, baseline, place_of(data) if data else None, fail_on,
                              json, junit, sarif, markdown, blessing,
                              bless or blessing is not None, annotate)
        verdict = gate_dataset(options)
        from rich.console import Console  # noqa: PLC0415

        print_verdict(Console(highlight=False), verdict, options)
        raise SystemExit(verdict.exit_code)


@app.command()
def diff(
    run_a: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of a later run.")],
    json: Annotated[Path | None, typer.Option(help="Write all of it for scripts.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as a page with pictures.")] = None,
    debug: Debug = False,
) -> None:
    """Compare two audits: what appeared, what went, what got worse, by check and class."""
    with explained(debug=debug, unfinished="nothing was compared."):
        from rich.console import Console  # noqa: PLC0415

        from pipelines.compare_runs import compare_runs, print_differences  # noqa: PLC0415

        found = compare_runs(run_a, run_b, json_file=json, html_file=html)
        print_differences(Console(highlight=False), found)


@app.command()
def train(
    run_folder: Annotated[Path, typer.Argument(
        metavar="RUN", help="Folder that `audit run` has written, best with --hold-out.")],
    out: Annotated[Path | None, typer.Option(
        help="Folder for the network and what was measured. Default: RUN/training.")] = None,
    network: Annotated[str, typer.Option(
        help="auto, scratch, or a network of keras.applications such as mobilenet_v2.")] = "auto",
    epochs: Annotated[int, typer.Option(help="Times through the data as they came.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Images an update.")] = 64,
    learning_rate: Annotated[float | None, typer.Option(
        help="The highest. Default: what a range test recommends.")] = None,
    optimizer: Annotated[str, typer.Option(help="adamw, adam or sgd.")] = "adamw",
    loss: Annotated[str, typer.Option(
        help="cross_entropy, or generalised_cross_entropy, which bears wrong labels.",
    )] = "cross_entropy",
    label_smoothing: Annotated[float, typer.Option(help="From 0 to 0.99.")] = 0.1,
    patience: Annotated[int, typer.Option(
        help="Epochs without a better validation loss after which a training ends.")] = 4,
    side: Annotated[int | None, typer.Option(
        help="Of the pictures in pixels. Default: what suits the network.")] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each, before and after.")] = 3,
    steps: Annotated[bool, typer.Option(
        "--steps/--no-steps", help="Train with each kind of remedy added alone too.")] = True,
    decisions: Annotated[Path | None, typer.Option(help="As in audit fix.")] = None,
    relabel_above: Annotated[float | None, typer.Option(help="As in audit fix.")] = None,
    suspects: Annotated[str, typer.Option(help="As in audit fix.")] = "drop",
    class_floor: Annotated[int | None, typer.Option(help="As in audit fix.")] = None,
    balance: Annotated[str, typer.Option(help="As in audit fix.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of all that is drawn at random.")] = 0,
    require_blessing: Annotated[bool, typer.Option(
        "--require-blessing",
        help="Train only what `audit gate --bless` certified and nobody changed since.")] = False,
    workers: Annotated[int | None, typer.Option(
        help="Processes that read images. Default: one a core.")] = None,
    debug: Debug = False,
) -> None:
    """Train the final network, with the data as they came and remedied, and measure the gain."""
    with explained(debug=debug, unfinished="the same command goes on where it stopped."):
        from rich.console import Console  # noqa: PLC0415

        from audit.training import TrainingSettings  # noqa: PLC0415
        from pipelines.progress import Stages  # noqa: PLC0415
        from pipelines.remediate_and_train import train_and_compare  # noqa: PLC0415
        from pipelines.remedy_dataset import RemedySettings  # noqa: PLC0415
        from pipelines.settings import available_cores  # noqa: PLC0415
        from pipelines.train_network import TrainSettings  # noqa: PLC0415

        out = out or run_folder / "training"
        settings = TrainSettings(
            RemedySettings(run=run_folder, out=out, decisions=decisions,
                           relabel_above=relabel_above, class_floor=class_floor, balance=balance,
                           suspects=suspects, seed=seed),
            out, network, seeds, steps,
            TrainingSettings(
                epochs=epochs, batch_size=batch_size, learning_rate=learning_rate,
                optimizer=optimizer, patience=patience,  # type: ignore[arg-type]
                label_smoothing=label_smoothing, loss=loss, side=side),  # type: ignore[arg-type]
            workers if workers is not None else available_cores(), require_blessing)
        train_and_compare(settings, Stages(Console(stderr=True)), Console())


def _compare_with_planted(data: Path, run_path: Path) -> None:
    """After an audit of the demo: what was planted against what was found."""
    from pipelines.score_demo import is_demo, print_planted_against_found  # noqa: PLC0415

    if is_demo(data):
        print_planted_against_found(data, run_path)


if __name__ == "__main__":
    main()
