"""The tables: what was aimed for, what was reached, on which machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.artifacts import DIRECT, RAW
from tests.benchmarks.load import BATCH
from tests.benchmarks.samples import DEFAULTS, ONE_WORKER, OURS, Samples
from tests.benchmarks.startup import BARE, COLD, HELP, SMOKE

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
OPERATIONS = {
    "log_metric": "log_metric",
    "get_alias": "get alias",
    "log_batch": "log_batch, metrics/s",
    "search_runs": "search_runs",
    "mixed": "mixed, with promotions",
}
Figure = Callable[[Samples], float]


@dataclass(frozen=True)
class Aim:
    """One line of the first table.

    Attributes:
        what: what is compared.
        figure: the value that counts.
        limit: what it should be.
        at_least: whether the limit is a floor or a ceiling.
        unit: printed behind both.
        needs: a measure and subject without which the line says "not measured".
    """

    what: str
    figure: Figure
    limit: float
    at_least: bool
    needs: tuple[str, str]
    unit: str = "×"

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def _ratio(measure: str, subject: str, reference: str) -> Figure:
    return lambda samples: samples.ratio(measure, subject, reference)


def _errors_at_32(samples: Samples) -> float:
    names = ("log_metric", "get_alias", "log_batch", "mixed")
    return sum(samples.total(f"{name} 32 errors", OURS) for name in names)


AIMS = (
    Aim("log_metric, 1 client, to the defaults", _ratio("log_metric 1", OURS, DEFAULTS), 4.0, True,
        ("log_metric 1", DEFAULTS)),
    Aim("log_metric, 8 clients, to the best stock", _ratio("log_metric 8", OURS, ONE_WORKER), 1.5, True,
        ("log_metric 8", ONE_WORKER)),
    Aim("errors at 32 clients", _errors_at_32, 0, False, ("mixed 32 errors", OURS), ""),
    Aim("memory, to the defaults", _ratio("memory", OURS, DEFAULTS), 0.5, False, ("memory", DEFAULTS)),
    Aim("upload, proxied, to raw boto3", _ratio("up", OURS, RAW), 0.9, True, ("up", RAW)),
    Aim("upload, direct, to raw boto3", _ratio("up", DIRECT, RAW), 0.9, True, ("up", RAW)),
    Aim("cold `up`, to a bare server on SQLite", _ratio(COLD, OURS, BARE), 1.2, False, (COLD, BARE)),
    Aim("`--help`, how many times faster", _ratio(HELP, "mlflow", OURS), 10.0, True, (HELP, OURS)),
    Aim("smoke test", lambda samples: samples.value(SMOKE, OURS), 25.0, False, (SMOKE, OURS), " s"),
)  # fmt: skip


def render(samples: Samples, facts: list[tuple[str, str]], seconds: float) -> str:
    """All tables as Markdown."""
    parts = [
        "### Machine\n\n" + _table(("", ""), facts),
        "### Aims\n\n" + _table(("what", "aim", "reached", "met"), [_aim(samples, aim) for aim in AIMS]),
        f"### Load\n\nRequests per second, and p99 in milliseconds; medians of rounds of {seconds:.1f} s.\n\n"
        + _table(
            ("operation", "clients", OURS, "p99", DEFAULTS, "p99", ONE_WORKER, "p99",
             "to defaults", "to one worker", "errors (ours / defaults / one worker)"),
            _loads(samples),
        ),
        "### Starting, and memory\n\n"
        + _table(("", OURS, DEFAULTS, ONE_WORKER, "to defaults", "to one worker"), _weights(samples)),
        "### Artifacts of 64 MB, MB/s\n\n"
        + _table(
            ("", RAW, "direct", OURS + ", proxied", DEFAULTS + ", proxied", ONE_WORKER + ", proxied",
             "direct to raw", "ours to raw"),
            [_transfer(samples, way) for way in ("up", "down")],
        ),
        "### Waiting\n\n" + _table(("", OURS, "compared with", "", "ratio"), _waits(samples)),
        "### Stage changes per second, with the guard and without it\n\n"
        + _table(("clients", "guard", "p99", "no guard", "p99", "ratio", "errors"), _guard(samples)),
    ]  # fmt: skip
    if samples.notes:
        parts.append("### Seen on the way\n\n" + "\n".join(f"- {note}" for note in samples.notes))
    return "\n\n".join(parts) + "\n"


def _aim(samples: Samples, aim: Aim) -> tuple[str, ...]:
    limit = f"{'≥' if aim.at_least else '≤'} {aim.limit:g}{aim.unit}"
    if not samples.has(*aim.needs):
        return aim.what, limit, "not measured", "–"
    value = aim.figure(samples)
    return aim.what, limit, f"{value:.3g}{aim.unit}", "yes" if aim.met(value) else "**no**"


def _loads(samples: Samples) -> list[tuple[str, ...]]:
    rows = []
    for operation, title in OPERATIONS.items():
        scale = BATCH if operation == "log_batch" else 1
        for clients in (1, 8, 32):
            measure = f"{operation} {clients}"
            if not samples.has(measure, OURS):
                continue
            row = [title, str(clients)]
            for subject in (OURS, DEFAULTS, ONE_WORKER):
                row.append(f"{samples.value(measure, subject) * scale:.0f}")
                row.append(f"{samples.value(measure + ' p99_ms', subject):.0f}")
            row += [f"{samples.ratio(measure, OURS, other):.2f}" for other in (DEFAULTS, ONE_WORKER)]
            errors = [samples.total(measure + " errors", one) for one in (OURS, DEFAULTS, ONE_WORKER)]
            rows.append((*row, " / ".join(f"{count:.0f}" for count in errors)))
    return rows


def _weights(samples: Samples) -> list[tuple[str, ...]]:
    rows = []
    titles = {
        "start": "start to first answer, s",
        "memory": "memory (PSS of all processes), MB",
        "processes": "processes",
    }
    for measure, title in titles.items():
        values = [f"{samples.value(measure, one):.3g}" for one in (OURS, DEFAULTS, ONE_WORKER)]
        ratios = [f"{samples.ratio(measure, OURS, other):.2f}" for other in (DEFAULTS, ONE_WORKER)]
        rows.append((title, *values, *ratios))
    return rows


def _transfer(samples: Samples, way: str) -> tuple[str, ...]:
    values = [f"{samples.value(way, one):.0f}" for one in (RAW, DIRECT, OURS, DEFAULTS, ONE_WORKER)]
    ratios = [f"{samples.ratio(way, one, RAW):.2f}" for one in (DIRECT, OURS)]
    return way, *values, *ratios


def _waits(samples: Samples) -> list[tuple[str, ...]]:
    rows = []
    for measure, other, title in ((COLD, BARE, "bare server, SQLite"), (HELP, "mlflow", "mlflow --help")):
        values = [samples.value(measure, one) for one in (OURS, other)]
        ratio = samples.ratio(measure, OURS, other)
        rows.append((f"{measure}, s", f"{values[0]:.2f}", title, f"{values[1]:.2f}", f"{ratio:.2f}"))
    if samples.has(SMOKE, OURS):
        rows.append((f"{SMOKE}, s", f"{samples.value(SMOKE, OURS):.1f}", "–", "–", "–"))
    return rows


def _guard(samples: Samples) -> list[tuple[str, ...]]:
    rows = []
    for clients in (1, 8):
        measure = f"transition {clients}"
        row = [str(clients)]
        for subject in ("guard", "no guard"):
            row.append(f"{samples.value(measure, subject):.0f}")
            row.append(f"{samples.value(measure + ' p99_ms', subject):.0f}")
        row.append(f"{samples.ratio(measure, 'guard', 'no guard'):.2f}")
        errors = [samples.total(measure + " errors", one) for one in ("guard", "no guard")]
        rows.append((*row, " / ".join(f"{count:.0f}" for count in errors)))
    return rows


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(path: Path, text: str) -> None:
    """Put the tables between the markers of the document.

    Raises:
        ValueError: the document exists and has no markers.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
