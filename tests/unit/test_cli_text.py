"""What the command line itself says, as whole texts: help, version, wrong usage, completion."""

from __future__ import annotations

import math
import os
import pty
import select
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.unit import evidence_samples, reference

from mlflowctl import __version__
from mlflowctl.cli.model import decide
from mlflowctl.console import Console
from mlflowctl.errors import GateFailedError
from mlflowctl.registry.evidence.store import Stored
from mlflowctl.registry.recording import Validated
from mlflowctl.registry.verdict import Verdict

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
  up          Start PostgreSQL, object store and MLflow here.
  down        Stop the stack.
  restart     Stop the stack and start it again with the same settings.
  status      Show what runs and whether it serves.
  logs        Print the last lines of the logs.
  env         Print the variables that clients need.
  bootstrap   Make database, guard and buckets what a registry needs.
  smoke-test  Prove the registry end to end.
  doctor      Check the platform; say what mends each thing that is wrong.
  restore     Put a set back into a stack.
  upgrade     Bring a running stack to the installed release.
  demo        Take real models through the lifecycle, on a stack of its own.
  serve       Serve a model: the champion, and the challenger for its share.
  backup      Copy the database and every object into a set.
  model       The lifecycle of models, from registration to rollback.
  live        Live tests: the challenger on real requests, watched.
  policy      What a model version must show before it may serve.
  user        Who may log in, and what each may do.
  compose     What Docker Compose needs before its first start.
  cloud       An environment in AWS, from an empty account to its end.
  config      What mlflowctl is aimed at, and why.

  Exit codes: 0 done or nothing to do · 1 unexpected · 2 usage or illegal move
  · 3 gate failed · 4 inconclusive · 5 conflict · 6 checks, doctor or dry run
  found something · 130 interrupted
"""
MODEL_HELP = """\
Usage: mlflowctl model [OPTIONS] COMMAND [ARGS]...

  The lifecycle of models, from registration to rollback.

Options:
  --help  Show this message and exit.

Commands:
  register   Register a version at stage None, validation pending.
  stage      Make a version the challenger (Staging).
  validate   Judge a version against the champion by gates and checks.
  approve    Approve a validated version that somebody else proposed.
  plan       Show what promoting the challenger would change.
  apply      Carry out a saved plan.
  promote    Make the validated challenger the champion.
  rollback   Go back to the last good champion.
  traffic    Show or set the challenger's share of the live requests.
  serving    Show what really answers against what the registry says.
  archive    Put a version away that is neither needed nor champion.
  retire     Take a model out of service: its champion is archived.
  freeze     Stop promotions of a model until unfreeze.
  unfreeze   Allow promotions of a model again.
  status     Show who serves and what is under way, of one model or of all.
  history    Show the ledger of a model, newest first: what, who, why.
  champion   Tell which version is champion, or was at a time.
  explain    Say why a version was refused, and what would pass.
  reconcile  Show where registry and ledger disagree, and mend it.
  audit      Read the whole ledger again, every hash and witness.

  Exit codes: 0 done or nothing to do · 1 unexpected · 2 usage or illegal move
  · 3 gate failed · 4 inconclusive · 5 conflict · 6 checks, doctor or dry run
  found something · 130 interrupted
"""
CLOUD_HELP = """\
Usage: mlflowctl cloud [OPTIONS] COMMAND [ARGS]...

  An environment in AWS, from an empty account to its end.

Options:
  --help  Show this message and exit.

Commands:
  backend  Make the bucket for the states of this account and region.
  init     Connect this checkout to the environment's state.
  plan     Show what apply would change.
  apply    Show the plan, ask, and carry out exactly that.
  output   Print addresses and names of the last apply.
  status   Show how server, load balancer, database and buckets are.
  restore  Restore the database beside itself, then switch.
  destroy  Say what would be lost; destroy it with its name typed.

  Exit codes: 0 done or nothing to do · 1 unexpected · 2 usage or illegal move
  · 3 gate failed · 4 inconclusive · 5 conflict · 6 checks, doctor or dry run
  found something · 130 interrupted
"""
ROLLBACK_HELP = """\
Usage: mlflowctl model rollback [OPTIONS] {NAME}

  Go back to the last good champion. The version rolled back from is never
  chosen again by this.

Arguments:
  NAME <str>  Name of the registered model.  [required]

Options:
  --expect-champion VERSION  Only if this version is champion; a repeat does
                             nothing.  [x>=1]
  --no-load-check            Do not load the target first: faster, less
                             certain.
  --accept-unloadable        Go on although the target was changed or does not
                             load; wants a reason.
  --break-glass              Without the object store: to alias previous;
                             wants a reason.
  --reason TEXT              Why; stands in the ledger.
  --lease-wait SECONDS       How long to wait for another command on this
                             model.  [default: 10.0; x>=0]
  --wait SECONDS             Then wait until the gateway
                             (MLFLOWCTL_SERVING_URL, or this machine's)
                             answers like that.  [default: 0.0]
  --context NAME             The platform to work on, e.g. local.
  --data-dir DIR             The embedded stack in this folder.
  --dry-run                  Print the plan and change nothing.
  --exit-code                With --dry-run: exit 6 if there is something to
                             do.
  -y, --yes                  Do not ask.
  --json                     Print one JSON object on stdout.
  --help                     Show this message and exit.
"""
NOT_A_NUMBER = "Input should be a valid integer, unable to parse string as an integer."
# The options that many commands share, in the order in which each of them shows those that it has.
SHARED = (
    "--policy", "--reason", "--lease-wait", "--context", "--data-dir", "--dry-run", "--exit-code", "--yes",
    "--json",
)  # fmt: skip
# These change what serves, or remove or replace something. Retiring wants the model's name instead.
ASKING = {
    "bootstrap", "model stage", "model apply", "model promote", "model rollback", "model archive",
    "model reconcile", "model traffic", "live run", "upgrade", "cloud apply", "cloud restore", "user remove",
}  # fmt: skip
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
    ("logs", "-n", "few"): ("logs", f"Invalid value for '-n' / '--lines': {NOT_A_NUMBER}"),
    ("model", "statsu"): ("model", "No such command 'statsu'. Did you mean 'status'?"),
    ("model", "promote"): ("model promote", "Missing argument 'NAME'."),
    ("model", "stage", "churn"): ("model stage", "Missing argument 'VERSION'."),
    ("model", "stage", "churn", "two"): ("model stage", f"Invalid value for 'VERSION': {NOT_A_NUMBER}"),
    ("model", "stage", "churn", "0"): (
        "model stage",
        "Invalid value for 'VERSION': Input should be greater than or equal to 1.",
    ),
    ("model", "register", "churn"): (
        "model register",
        "Name what to register: a SOURCE, or --adopt VERSION.",
    ),
    ("model", "reconcile", "churn", "--prefer", "both"): (
        "model reconcile",
        "--prefer is registry or ledger, not 'both'.",
    ),
}
ASKS = """
from mlflowctl.cli.command import command, confirm
@command("ask")
def ask(console):
    confirm("Go on?", yes=False)
    console.result("gone on")
ask()
"""
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


def answered(typed: bytes) -> tuple[int, str]:
    """Exit code of a command that asks, and what its terminal shows after this was typed."""
    child, ours = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", ASKS], environment(NO_COLOR="1"))
    shown = b""
    try:
        while True:
            # Readline loses a Ctrl-C that comes between its look for signals and its wait for keys. The
            # command then sits at its question, and a person presses the keys again.
            if b"[y/N]" in shown:
                os.write(ours, typed)
            while select.select([ours], [], [], 3)[0]:
                if not (part := os.read(ours, 65536)):
                    raise EOFError
                asked = b"[y/N]" in shown
                shown += part
                if not asked and b"[y/N]" in shown:
                    break
    except (OSError, EOFError):
        pass
    finally:
        os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def said(named: str, message: str) -> str:
    line = f"mlflowctl {named}".rstrip()
    return f"error: {message}\nstate: Nothing was changed.\nnext:  {line} --help\n"


def test_help():
    assert run("--help") == (0, HELP, "")


def test_help_of_the_lifecycle_shows_each_command_in_one_line_that_is_not_cut_off():
    assert run("model", "--help") == (0, MODEL_HELP, "")
    assert run("model") == (2, "", MODEL_HELP)


def test_help_of_the_cloud_shows_the_life_of_an_environment():
    assert run("cloud", "--help") == (0, CLOUD_HELP, "")


def test_help_of_a_command():
    assert run("model", "rollback", "--help") == (0, ROLLBACK_HELP, "")


@pytest.mark.parametrize("command", reference.generator().commands(), ids=lambda one: one.line)
def test_shared_options_stand_in_the_same_order_behind_a_commands_own(command):
    flags = [flag.split(" ")[1 if flag.startswith("-y") else 0] for flag, _ in command.options]
    shared = [flag for flag in flags if flag in SHARED]
    assert shared == sorted(shared, key=SHARED.index)
    assert ("--exit-code" in flags) >= ("--dry-run" in flags), "whoever can look can be asked by a script"


def test_every_command_that_changes_something_takes_yes_and_those_that_never_ask_say_so():
    answers = {
        " ".join(command.path): text
        for command in reference.generator().commands()
        for flag, text in command.options
        if "--yes" in flag
    }
    assert {path for path, text in answers.items() if text == "Do not ask."} == ASKING
    assert {path for path in answers if path not in ASKING} == {
        *(f"model {name}" for name in ("register", "validate", "approve", "retire", "freeze", "unfreeze")),
        *("backup", "restore", "compose init", "cloud backend", "cloud destroy"),
        *(f"user {name}" for name in ("add", "role", "password", "keys")),
    }


@pytest.mark.parametrize(
    "command",
    [one for one in reference.generator().commands() if any("--dry-run" in flag for flag, _ in one.options)],
    ids=lambda one: one.line,
)
def test_exit_code_without_a_dry_run_is_refused_and_not_ignored(command):
    arguments = {"NAME": "churn", "VERSION": "1", "FILE": "plan.json"}
    needed = [arguments[name.split(" ")[0]] for name, text in command.arguments if "required]" in text]
    line = [*command.path, *needed, "--exit-code"]
    assert run(*line) == (2, "", said(" ".join(command.path), "--exit-code goes with --dry-run."))


def test_help_of_the_lifecycle_imports_nothing_heavy():
    importing = [sys.executable, "-X", "importtime", "-m", "mlflowctl.cli.main", "model", "promote", "--help"]
    loaded = subprocess.run(importing, env=environment(), capture_output=True, text=True, check=True).stderr
    modules = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in loaded.splitlines()}
    assert "typer" in modules
    heavy = {
        "mlflow",
        "boto3",
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
        "yaml",
        "jinja2",
        "jsonschema",
        "urllib3",
    }
    assert modules & heavy == set()


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
    message = message.replace("--data-dir", "MLFLOWCTL_DATA_DIR")
    for line in (
        ("up", "--dry-run"),
        ("status",),
        ("model", "status"),
        ("model", "promote", "churn", "--yes"),
    ):
        code, stdout, stderr = run(*line, MLFLOWCTL_DATA_DIR=str(file))
        assert (code, stdout, stderr.splitlines()[:2]) == (
            2, "", [f"error: {message}", "state: Nothing was changed."]
        )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "code", "message"),
    [
        (b"y\n", 0, "gone on"),
        (b"n\n", 2, "error: Not confirmed."),
        (b"\n", 2, "error: Not confirmed."),
        (b"\x03", 130, "error: Interrupted instead of answered."),
        (b"\x04", 130, "error: Interrupted instead of answered."),
    ],
    ids=["yes", "no", "enter", "ctrl-c", "ctrl-d"],
)
def test_a_question_is_answered_on_the_terminal(typed, code, message):
    exited, shown = answered(typed)
    assert exited == code
    assert message in shown
    assert ("state: Nothing was changed." in shown) is (code != 0)


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


def test_a_verdict_about_what_is_no_number_is_still_json_that_every_language_reads(capsys):
    unknown = evidence_samples.gate(verdict=Verdict.FAIL, challenger=math.nan, champion=math.inf)
    evidence = replace(evidence_samples.failed(), gates=(unknown,))
    done = Validated(evidence, Stored("evidence/churn/8/x/", "0" * 64), 3, "", ())
    console = Console("model.validate", as_json=True)
    with pytest.raises(GateFailedError) as refused:
        decide._verdict(console, done)
    console.envelope(refused.value.result, refused.value)
    stdout = capsys.readouterr().out
    assert "NaN" not in stdout
    assert "Infinity" not in stdout
    judged = reference.validated("model.validate", stdout)["result"]["gates"][0]
    assert (judged["challenger"], judged["champion"]) == (None, None)


def test_in_a_narrow_terminal_what_is_copied_stays_in_one_piece_and_nothing_is_lost(monkeypatch, capsys):
    from mlflowctl.console import _draw

    monkeypatch.setenv("COLUMNS", "54")
    reason = "holiday season: nobody is there to look after a new version until January"
    _draw(("at", "model", "reason"), [("2026-11-24T22:33:15Z", "demo-breast-cancer", reason)])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 54
    assert "2026-11-24T22:33:15Z" in shown
    assert "demo-breast-cancer" in shown
    assert all(word in shown for word in reason.split())
