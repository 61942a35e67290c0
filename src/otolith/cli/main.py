"""`otolith`: every command, and how errors leave it."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from otolith import __version__
from otolith.cli import (
    benching,
    datasets,
    demo,
    embedding,
    enrolment,
    evaluation,
    explaining,
    exporting,
    importing,
    publishing,
    recognition,
    reporting,
    streaming,
    study,
    training,
)
from otolith.types import OtolithError


class _InterruptedError(Exception):
    """Ctrl-C, under a name that typer does not take for its own and end without a word."""


class _ClosedPipeError(Exception):
    """The reader of our output has seen enough."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _InterruptedError from error
        except BrokenPipeError as error:
            raise _ClosedPipeError from error


app = typer.Typer(
    name="otolith",
    cls=_Commands,
    help="From raw recordings of wearable motion sensors to activities named in plain words.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.add_typer(datasets.app, name="datasets")
app.command("import")(importing.import_)
app.command("pretrain")(training.pretrain)
app.command("align")(training.align)
app.command("teach")(training.teach)
app.command("distil")(training.distil)
app.command("finetune")(training.finetune)
app.command("reconstruct")(training.reconstruct)
app.command("classify")(recognition.classify)
app.command("enrol")(enrolment.enrol)
app.command("evaluate")(evaluation.evaluate)
app.command("study")(study.study)
app.command("export")(exporting.export)
app.command("vocabulary")(exporting.vocabulary)
app.command("release")(publishing.release)
app.command("publish")(publishing.publish)
app.command("bench")(benching.bench)
app.command("embed")(embedding.embed)
app.command("explain")(explaining.explain)
app.command("report")(reporting.report)
app.command("stream", add_help_option=False, context_settings=streaming.SETTINGS)(streaming.stream)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"otolith {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """From raw recordings of wearable motion sensors to activities named in plain words."""


_command = typer.main.get_command(app)  # once: a process that calls `main` often would build all commands each time


def main() -> None:
    """Runs the command. Bad input: one sentence and exit code 2. Interrupted: 130."""
    try:
        _command(prog_name="otolith")
    except OtolithError as error:
        typer.echo(f"otolith: {error}", err=True)
        sys.exit(2)
    except (_InterruptedError, KeyboardInterrupt):
        typer.echo("otolith: interrupted; nothing is half-written, training continues with --resume", err=True)
        sys.exit(130)
    except (_ClosedPipeError, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        typer.echo("otolith: no space left on the disk: free some space and run again", err=True)
        sys.exit(2)
