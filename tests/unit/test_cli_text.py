"""What the command line itself says, as whole texts: help, version, wrong usage, completion."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from tests.unit import reference

from mlflowctl import __version__

COMMAND = [sys.executable, "-m", "mlflowctl.cli.main"]
HELP = """\
Usage: mlflowctl [OPTIONS] COMMAND [ARGS]...

  Run MLflow on PostgreSQL and S3, the same on a laptop and in AWS, and
  promote models safely.

Options:
  --context NAME        The platform to work on, e.g. local.
  --data-dir DIR        The embedded stack in this folder.
  --debug               Show tracebacks.
  --version             Print the version.
  --install-completion  Install completion for the current shell.
  --show-completion     Show completion for the current shell, to copy it or
                        customize the installation.
  --help                Show this message and exit.

Commands:
  up          Start PostgreSQL, the object store and MLflow here, and...
  down        Stop the stack.
  restart     Stop the stack and start it again with the same settings.
  status      Show what runs and whether it serves.
  logs        Print the last lines of the logs.
  env         Print the variables that MLflow clients need: eval...
  bootstrap   Bring database, registry guard and buckets to the state...
  smoke-test  Prove the registry end to end with runs, artifacts and...
  doctor      Check the platform from the ground up; say what mends each...
  demo        Start the stack, prove it, train two models on real data,...
  config      What mlflowctl is aimed at, and why.

  Exit codes: 0 done or nothing to do · 1 unexpected · 2 usage or illegal move
  · 3 gate failed · 4 inconclusive · 5 conflict · 6 checks, doctor or dry run
  found something · 130 interrupted
"""
# Arguments of wrong usage: the command that they name, what is said.
WRONG = {
    ("bogus",): ("", "No such command 'bogus'. Did you mean 'logs'?"),
    ("statsu",): ("", "No such command 'statsu'. Did you mean 'status', 'restart'?"),
    ("config", "bogus"): ("config", "No such command 'bogus'."),
    ("--bogus",): ("", "No such option: --bogus."),
    ("up", "--bogus"): ("up", "No such option: --bogus."),
    ("up", "--auto-port"): ("up", "No such option: --auto-port (Possible options: --auto-ports)."),
    ("up", "one"): ("up", "Got unexpected extra argument(s) (one)."),
    ("down", "--confirm"): ("down", "Option '--confirm' requires an argument."),
    ("config", "show", "--context"): ("config show", "Option '--context' requires an argument."),
    ("logs", "-n", "few"): (
        "logs",
        "Invalid value for '-n' / '--lines': "
        "Input should be a valid integer, unable to parse string as an integer.",
    ),
}
PLAIN = [{"NO_COLOR": "1"}, {"NO_COLOR": ""}, {"CI": "true"}, {"TERM": "dumb"}]


def environment(**changes: str) -> dict[str, str]:
    """A user's environment without anything that decides about targets or colour."""
    deciding = ("MLFLOW", "AWS_", "CI", "NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "LINES", "_TYPER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(deciding)}
    return kept | {"TERM": "xterm-256color"} | changes


def run(*arguments: str, **changes: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command without a terminal."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(*arguments: str, **changes: str) -> str:
    """What one command shows on a terminal, stdout and stderr together."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=environment(**changes), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # Linux's way to say that nobody holds the other end any more
        pass
    finally:
        os.close(ours)
        process.wait(30)
    return shown.decode()


def said(named: str, message: str) -> str:
    line = f"mlflowctl {named}".rstrip()
    return f"error: {message}\nstate: Nothing was changed.\nnext:  {line} --help\n"


def test_help():
    assert run("--help") == (0, HELP, "")


def test_help_without_any_command_goes_to_stderr_because_nothing_was_done():
    assert run() == (2, "", HELP)


def test_version():
    assert run("--version") == (0, f"mlflowctl {__version__}\n", "")


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_names_the_mistake_and_the_help_that_explains(arguments):
    assert run(*arguments) == (2, "", said(*WRONG[arguments]))


@pytest.mark.parametrize(
    ("arguments", "named", "schema"),
    [
        (("bogus", "--json"), "", "mlflowctl"),
        (("config", "bogus", "--json"), "config", "config"),
        (("up", "--json", "--bogus"), "up", "up"),
        (("up", "--json", "one"), "up", "up"),
        (("down", "--json", "--confirm"), "down", "down"),
        (("config", "show", "--json", "--context"), "config show", "config.show"),
        (("logs", "--json"), "logs", "logs"),
    ],
    ids=str,
)
def test_wrong_usage_with_json_is_an_envelope_on_stdout_too(arguments, named, schema):
    code, stdout, stderr = run(*arguments)
    answer = reference.validated("wrong-usage", stdout)
    assert answer["schema"] == f"mlflowctl.{schema}/1"
    assert answer["error"]["code"] == "usage"
    assert (code, stderr) == (2, said(named, answer["error"]["message"]))


def test_a_value_that_is_none_of_the_possible_ones():
    code, stdout, stderr = run("up", "--artifacts", "nowhere")
    assert (code, stdout) == (2, "")
    assert stderr == said("up", "--artifacts is proxied or direct, not 'nowhere'.")


def test_a_file_where_a_folder_belongs(tmp_path):
    file = tmp_path / "stack"
    file.touch()
    message = f"Invalid value for '--data-dir': dir '{file}' is a file."
    assert run("up", "--data-dir", str(file)) == (2, "", said("up", message))
    assert run("--data-dir", str(file), "status") == (2, "", said("", message))


def test_colour_on_a_terminal():
    assert "\x1b[31merror:\x1b[0m No such command" in on_a_terminal("bogus")


@pytest.mark.parametrize("variable", PLAIN, ids=str)
@pytest.mark.parametrize("arguments", [("--help",), ("bogus",), ("--version",)], ids=" ".join)
def test_no_escape_sequences_where_plain_text_is_asked_for(variable, arguments):
    shown = on_a_terminal(*arguments, **variable)
    assert shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("arguments", [("--help",), ("bogus",), ("up", "--help")], ids=" ".join)
def test_no_escape_sequences_without_a_terminal(arguments):
    assert "\x1b" not in "".join(run(*arguments)[1:])


@pytest.mark.parametrize(
    ("typed", "word", "offered"),
    [
        ("mlflowctl sm", 1, ["smoke-test"]),
        ("mlflowctl d", 1, ["down", "doctor", "demo"]),
        ("mlflowctl config sh", 2, ["show"]),
        ("mlflowctl up --auto", 2, ["--auto-ports"]),
    ],
)
def test_bash_completes_commands_and_options(typed, word, offered):
    code, stdout, _ = run(_MLFLOWCTL_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(word))
    assert (code, stdout.split()) == (0, offered)


def test_zsh_and_fish_complete_too():
    zsh = run(_MLFLOWCTL_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="mlflowctl sm")
    fish = {"_TYPER_COMPLETE_ARGS": "mlflowctl sm", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "smoke-test" in zsh[1]
    assert "smoke-test" in run(_MLFLOWCTL_COMPLETE="complete_fish", **fish)[1]
