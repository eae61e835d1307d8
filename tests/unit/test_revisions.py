"""The revisions that are read as text are those that Alembic finds by loading the scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlflowctl.database import revisions
from mlflowctl.errors import MlflowctlError


@pytest.mark.parametrize("folder", [("store", "db_migrations"), ("server", "auth", "db", "migrations")])
def test_they_are_alembics(folder):
    import mlflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent.joinpath(*folder)))
    found = revisions.installed(*folder)
    assert found.head == scripts.get_current_head()
    assert found.known == {one.revision for one in scripts.walk_revisions()}


def test_reading_them_does_not_import_mlflow():
    code = (
        "import sys; from mlflowctl.database import schema;"
        "schema.head_revision(); print('mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_scripts_of_another_make_are_told(tmp_path, monkeypatch):
    (tmp_path / "versions").mkdir()
    (tmp_path / "__init__.py").touch()
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(revisions.importlib.util, "find_spec", lambda _: spec)
    for text in ("", "revision = 'a'\ndown_revision = make()\n", "revision = 'a'\ndown_revision = 'gone'\n"):
        (tmp_path / "versions" / "a.py").write_text(text)
        with pytest.raises(MlflowctlError, match="cannot be understood"):
            revisions.installed()
