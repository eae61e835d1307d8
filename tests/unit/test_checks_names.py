"""Names that come from the store never lead out of the folder that is written to."""

from __future__ import annotations

import pytest

from mlflowctl.errors import UsageError
from mlflowctl.registry.artifacts import ArtifactStore, fetch
from mlflowctl.registry.rest import Rest


class Forged(Rest):
    """A server that lists what it likes; a real one cannot be brought to do that."""

    def __init__(self, name: str) -> None:
        super().__init__("http://127.0.0.1:9")
        self.name = name

    def artifacts(self, path):
        return [{"path": self.name, "is_dir": False, "file_size": 1}]

    def artifact(self, path):
        yield b"x"


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "..", "a\\..\\evil", "a//b", "a\0b", "."]
)
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(UsageError, match="leads out of"):
        fetch(ArtifactStore(Forged(name)), "mlflow-artifacts:/1/model", tmp_path / "copy")
    assert [one.name for one in tmp_path.rglob("*")] == ["copy"]


def test_a_file_that_came_short_is_no_model(tmp_path):
    from mlflowctl.errors import UnavailableError

    class Short(Forged):
        def artifact(self, path):
            yield b""

    with pytest.raises(UnavailableError, match=r"MLmodel.*0 of 1 bytes"):
        fetch(ArtifactStore(Short("MLmodel")), "mlflow-artifacts:/1/model", tmp_path / "copy")
