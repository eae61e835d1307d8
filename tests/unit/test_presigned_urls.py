"""A server whose store its clients cannot reach must not send them there."""

from __future__ import annotations

from tests.unit.test_tracking_server import python


def test_the_installed_mlflow_is_told_to_withhold_presigned_urls_and_the_rest_of_its_answer_stays():
    answer = python(
        "import warnings; warnings.simplefilter('ignore')\n"
        "from mlflow.server import server_info_api\n"
        "from mlflow.store.artifact import mlflow_artifacts_repo as client\n"
        "from mlflowctl.stack import presigned_urls\n"
        "names = [f'SERVER_INFO_MULTIPART_{one}_ENABLED' for one in ('DOWNLOADS', 'UPLOADS')]\n"
        "asked = [getattr(client, name) for name in names]\n"
        "theirs = dict.fromkeys(asked, True) | {'store_type': 'SqlStore'}\n"
        "server_info_api.build_server_info_payload = lambda: theirs\n"
        "presigned_urls.withhold()\n"
        "import asyncio, json\n"
        "told = json.loads(asyncio.run(server_info_api.get_server_info()).body)\n"
        "print([told[name] for name in asked], told['store_type'])\n"
    )
    assert answer == "[False, False] SqlStore"
