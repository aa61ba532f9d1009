"""Azure's wire: deployments instead of models, its own key, headers and words."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from harness.simulator import responses
from harness.simulator.azure_words import NO_ACCESS, NO_DEPLOYMENT, NOT_FOUND, session
from harness.simulator.edits import validate_edit
from harness.simulator.requests import Refused, Rules, Shape, validate
from harness.simulator.script import Script
from harness.simulator.wires import KEY_PREFIX, Ask, Wire

RULES = Rules(any_model=True, formats=("png", "jpeg"), default_quality="high")
DEPLOYMENTS = "/openai/deployments/"
V1 = "/openai/v1/"
REQUESTS_PER_MINUTE = 10  # what one deployment of gpt-image-2 showed
DEPLOYMENT_HEADER = "x-ms-oai-image-generation-deployment"


class Azure(Wire):
    """Any name is taken for a deployment's. The paths of before need `api-version`; those under /openai/v1 do not."""

    paths = (
        DEPLOYMENTS + "{deployment}/images/generations",
        DEPLOYMENTS + "{deployment}/images/edits",
        V1 + "images/generations",
        V1 + "images/edits",
        V1 + "responses",
        "/openai/responses",
    )
    product = "azure"

    def request_id(self) -> str:
        """A bare uuid."""
        return str(uuid.uuid4())

    def not_found(self, method: str, path: str) -> dict[str, Any]:  # noqa: ARG002
        """The body of a 404."""
        return NOT_FOUND

    def check_key(self, ask: Ask) -> None:
        """Its own header, or a token of Entra; and the address has to be right before anything else is looked at."""
        if not ask.path.startswith(V1) and not ask.query.get("api-version"):
            raise Refused.saying(404, NOT_FOUND)
        token = ask.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not ask.headers.get("api-key", token).startswith(KEY_PREFIX):
            raise Refused.saying(401, NO_ACCESS)

    def validate(self, ask: Ask) -> Shape:
        """The deployment is the model: named in the path, in the body, or for the image tool in a header."""
        if ask.api == "responses":
            deployment = ask.headers.get(DEPLOYMENT_HEADER)
            if not deployment:
                raise Refused.saying(400, NO_DEPLOYMENT)
            return replace(responses.validate_response(ask.json(), RULES), model=deployment)
        kind = ask.headers.get("content-type", "")
        if ask.api == "images.edits":
            shape = validate_edit(ask.body, kind, RULES, json_too=False)
        else:
            shape = validate(ask.json(), RULES)
        if ask.path.startswith(DEPLOYMENTS):
            return replace(shape, model=ask.path.removeprefix(DEPLOYMENTS).split("/")[0])
        return shape

    def finish(self, planned: Script, ask: Ask, shape: Shape | None, request_id: str) -> Script:  # noqa: ARG002
        """Its headers; nothing of OpenAI's or of an edge."""
        asked_id = ask.headers.get("x-ms-client-request-id")
        own = {
            "apim-request-id": str(uuid.uuid5(uuid.NAMESPACE_OID, request_id)),
            "x-request-id": request_id,
            "x-ms-region": "East US",
            "x-ms-rai-invoked": "true",
            "azureml-model-session": session(request_id),
            "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
            "x-ratelimit-remaining-requests": str(REQUESTS_PER_MINUTE - 1),
            "x-ratelimit-remaining-tokens": "99000",
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
            "x-content-type-options": "nosniff",
            **({"x-ms-client-request-id": asked_id} if asked_id else {}),
        }
        if planned.status >= 400:
            own["ms-azureml-model-error-reason"] = "model_error"
            own["ms-azureml-model-error-statuscode"] = str(planned.status)
        kept = {name: value for name, value in planned.headers.items() if not name.startswith("openai-")}
        return replace(planned, headers={**own, **kept})
