"""Setting a tag on a registered model without loading all its versions.

After every tag MLflow asks whether the model is a prompt, and to know that it loads the model with all its
versions: 0.1 to 0.2 s for each tag of a model with 10,000 of them. The model's own tags tell it as well.
"""

from __future__ import annotations

from typing import Any

from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.server import handlers


def is_prompt(name: str) -> bool:
    """What MLflow's function of that purpose answers, from the model's tags alone."""
    store: Any = handlers._get_model_registry_store()
    with store.ManagedSessionMaker() as session:
        model = store._get_registered_model(session, name, eager=True)
        tags = {tag.key: tag.value for tag in model.registered_model_tags}
    return str(tags.get(IS_PROMPT_TAG_KEY, "false")).lower() == "true"


def register() -> None:
    """Let this process's MLflow use it."""
    handlers._is_prompt = is_prompt
