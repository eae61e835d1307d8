"""Models as strangers might send them: a folder with MLmodel and code, made without importing MLflow."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import yaml

COLUMN = [{"type": "double", "name": "x", "required": True}]
NUMBER = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]


def make(
    folder: Path,
    predict: str = "return rows['x'] * 2",
    *,
    load: str = "pass",
    signature: bool = True,
    inputs: list[dict] = COLUMN,
    outputs: list[dict] = NUMBER,
    example: bool = True,
    requirements: str = "mlflow==3.17.2\n",
    python: str | None = "3.11.7",
) -> Path:
    """A model whose ``predict(self, rows)`` has the body given; ``load`` runs when it is loaded."""
    (folder / "code").mkdir(parents=True)
    body = textwrap.indent(textwrap.dedent(predict).strip(), " " * 8)
    loading = textwrap.indent(textwrap.dedent(load).strip(), " " * 4)
    (folder / "code" / f"{folder.name}.py").write_text(
        f"class Model:\n    def predict(self, rows, params=None):\n{body}\n\n"
        f"def _load_pyfunc(path):\n{loading}\n    return Model()\n"
    )
    flavor = {"loader_module": folder.name, "code": "code"}
    if python:
        flavor["python_version"] = python
    mlmodel: dict = {"flavors": {"python_function": flavor}}
    if signature:
        mlmodel["signature"] = {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs)}
    if example:
        info = {"artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split"}
        mlmodel["saved_input_example_info"] = info
        (folder / "input_example.json").write_text(json.dumps({"columns": ["x"], "data": [[1.0], [2.0]]}))
    (folder / "MLmodel").write_text(yaml.safe_dump(mlmodel))
    (folder / "requirements.txt").write_text(requirements)
    return folder
