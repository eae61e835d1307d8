"""Point-in-time restore: a second database beside the old one, then a switch by name. Terraform does both.

The databases of an environment, and which of them serves, stand in ``<environment>.database.tfvars.json``
beside its tfvars file, written by this module and meant to be committed. Nothing is ever restored over
data: the old database stays until a person takes it out of that file.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from mlflowctl.cloud import rds
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.published import Published
from mlflowctl.errors import MlflowctlError, NotFoundError, UsageError
from mlflowctl.files import write_atomic

Databases = dict[str, Any]
MAIN: Databases = {"database_instances": {"main": {}}, "serving_database": "main"}


def moment_of(text: str) -> datetime.datetime:
    """The time that ``--to-time`` names, in UTC.

    Raises:
        UsageError: it is no time, has no zone, or lies in the future.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.datetime.min
    if moment.tzinfo is None:
        raise UsageError(
            f"--to-time wants a time with its zone, such as 2026-11-24T21:55:00Z, not {text!r}.",
            state="Nothing was changed.",
            next="mlflowctl cloud restore --help",
        )
    moment = moment.astimezone(datetime.UTC)
    if moment > datetime.datetime.now(datetime.UTC):
        raise UsageError(
            f"--to-time {text} lies in the future.",
            state="Nothing was changed.",
            next="Name a time that has passed.",
        )
    return moment


def read(environment: Environment) -> Databases:
    """The databases of an environment: one named main, if nothing was ever restored.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        return MAIN | dict(json.loads(environment.databases.read_text()))
    except FileNotFoundError:
        return MAIN
    except (ValueError, TypeError):
        raise UsageError(
            f"{environment.databases} is damaged.",
            state="Nothing was changed.",
            next=f"git checkout {environment.databases}",
        ) from None


def write(path: Path, databases: Databases) -> None:
    """Write the databases where Terraform reads them."""
    write_atomic(path, json.dumps(databases, indent=2) + "\n", mode=0o644)


def beside(environment: Environment, moment: datetime.datetime) -> tuple[str, Databases]:
    """The databases with another one beside them: the serving one as it was at that time.

    Returns:
        The new database's name, and all databases. The name carries the time, so a restore that was
        interrupted is continued by the same command.
    """
    now = read(environment)
    name = f"at{moment:%Y%m%d%H%M%S}"
    made = {"restore_from": now["serving_database"], "restore_time": f"{moment:%FT%TZ}"}
    return name, now | {"database_instances": {name: made} | now["database_instances"]}


def serving(environment: Environment, name: str) -> Databases:
    """The databases with another one of them serving.

    Raises:
        NotFoundError: there is none of that name.
    """
    now = read(environment)
    if name not in now["database_instances"]:
        raise NotFoundError(
            f"{environment.name} has no database {name!r}.",
            state="Nothing was changed.",
            next=f"It has: {', '.join(now['database_instances'])}; another is made with --to-time",
        )
    return now | {"serving_database": name}


def refuse_unreachable(found: Published, moment: datetime.datetime) -> None:
    """Only what the automatic backups reach can be restored.

    Raises:
        UsageError: they do not reach that time, or the database is not ours.
        MlflowctlError: the serving database does not exist any more.
    """
    if not found.database:
        raise UsageError(
            f"The database of {found.environment} was there before; its owner restores it.",
            state="Nothing was changed.",
        )
    live = rds.database(found.region, found.database)
    if live is None:
        raise MlflowctlError(
            f"There is no database {found.database} in {found.region}.",
            state="Nothing was changed.",
            next="Restore its last snapshot in RDS, then give it to the environment as an existing database.",
        )
    now = datetime.datetime.now(datetime.UTC)
    reach = now - datetime.timedelta(days=int(live.get("BackupRetentionPeriod") or 0))
    first = max(reach, live.get("InstanceCreateTime") or reach)
    last = live.get("LatestRestorableTime") or now
    if not first <= moment <= last:
        raise UsageError(
            f"{found.database} can be restored to any time from {first:%FT%TZ} to {last:%FT%TZ}, "
            f"not to {moment:%FT%TZ}.",
            state="Nothing was changed.",
            next="Name a time in between; older states are only in snapshots (AWS Backup, if it is on).",
        )
