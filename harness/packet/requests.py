"""What is asked of whom: a sentence for each decision in the words of whoever can take it, and what to look up.

An owner can only do what is theirs: a provider raises no timeout of our proxy, and our platform team cannot say how
long a generation queued. Where a decision reads the same for everybody, the common sentence stands.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.model import DecisionKind
from harness.packet.vocabulary import Recipient

RECIPIENTS: Mapping[Recipient, str] = {
    "provider": "the provider (OpenAI)",
    "azure": "Azure OpenAI support",
    "gateway_operator": "the operator of the gateway",
    "reverse_operator": "the operator of the reverse channel",
    "task_provider": "the provider of the task API",
    "platform_team": "our own platform team",
}

LOOK_UP: Mapping[Recipient, str] = {
    "provider": "Please look up the request ids below: did the generation finish, when, and how long did it queue?",
    "azure": "Please look up the apim and request ids below: did the deployment finish the image, and which front end "
    "closed the exchange?",
    "gateway_operator": "Please look up the ids below in the gateway's log: when was the upstream called, how often, "
    "and which timeout ended it?",
    "reverse_operator": "Please look up the ids below: which stage held the time, and was the image made?",
    "task_provider": "Please look up the ids below: when was the task queued, begun and finished?",
    "platform_team": "Please look up the ids below in the access and error logs of our own layers, at the time given.",
}

# For everybody who has no words of their own below.
ASKED: Mapping[DecisionKind, str] = {
    "widen_timeout": "Please widen this one timeout and leave the others as they are",
    "move_to_async": "Please confirm that this work should move to asynchronous jobs",
    "turn_on_streaming": "Please let streamed bytes through, so that partial images can flow",
    "lower_complexity_for_drafts": "Please confirm that drafts may use a lower quality tier",
    "change_output_format": "Please confirm that another output format is acceptable",
    "split_high_resolution": "Please confirm that high-resolution work should go its own way",
    "adjust_retry_backoff": "Please check the retry rules: limits, reset times and backoff",
    "escalate_to_route_owner": "Please find out on your side why this route takes this long or fails",
    "fix_request": "Please confirm which parameter of this request is refused",
    "fix_account": "Please check the state of the account or its access to the model",
    "nothing": "No change is asked for",
    "none_justified": "No change is asked for yet: this evidence does not decide",
}

OWN_WORDS: Mapping[tuple[DecisionKind, Recipient], str] = {
    ("widen_timeout", "provider"): "Please say which of your front ends closes an exchange at this time, and whether "
    "a longer limit or a streamed answer is the supported way",
    ("widen_timeout", "azure"): "Please say which limit of the front end or of API Management closes the exchange at "
    "this time, and whether it can be raised for this deployment",
    ("widen_timeout", "gateway_operator"): "Please raise the gateway's own timeout towards the upstream for image "
    "calls, and leave its others as they are",
    ("widen_timeout", "reverse_operator"): "Please say which timeout of your chain ends the wait, and raise it for "
    "image calls",
    ("widen_timeout", "task_provider"): "Please say after which time a task is given up, and whether it can be longer "
    "for this model",
    ("widen_timeout", "platform_team"): "Please widen this one timeout of our own chain and leave the others as they "
    "are",
    ("turn_on_streaming", "provider"): "Please confirm that partial images are sent as they are made for this shape",
    ("turn_on_streaming", "azure"): "Please confirm that this deployment streams partial images as they are made",
    ("turn_on_streaming", "gateway_operator"): "Please turn off the gateway's buffering of event streams for image "
    "calls, so that partial images can flow",
    ("turn_on_streaming", "reverse_operator"): "Please pass event streams through unbuffered, or say that the channel "
    "cannot",
    ("turn_on_streaming", "platform_team"): "Please turn off response buffering on our own layers for image calls, so "
    "that partial images can flow",
    (
        "adjust_retry_backoff",
        "provider",
    ): "Please confirm the limits of this organization for this model as the headers "
    "below state them, and whether they can be raised",
    ("adjust_retry_backoff", "azure"): "Please confirm the quota of this deployment as the headers below state it, and "
    "whether it can be raised",
    ("adjust_retry_backoff", "gateway_operator"): "Please say how often the gateway tries again by itself and what its "
    "own limits are, and honour the upstream's retry-after",
    ("adjust_retry_backoff", "reverse_operator"): "Please say how many calls the channel takes at once, and answer a "
    "full one with a retry-after",
    (
        "adjust_retry_backoff",
        "task_provider",
    ): "Please confirm how many tasks may be under way at once, and how often a task may be asked about",
    ("adjust_retry_backoff", "platform_team"): "Please adjust our own retries: honour retry-after, back off, and send "
    "fewer at once",
    ("escalate_to_route_owner", "provider"): "Please find out why this generation takes this long or fails: queue, "
    "moderation or the model itself",
    ("escalate_to_route_owner", "azure"): "Please find out why this deployment takes this long or fails: queue, region "
    "or the model itself",
    ("escalate_to_route_owner", "gateway_operator"): "Please find out what the gateway adds or breaks: its own queue, "
    "retries behind one answer, fallbacks, or its upstream",
    ("escalate_to_route_owner", "reverse_operator"): "Please find out which stage of the channel takes this long or "
    "fails, and whether another account or session is behind it",
    ("escalate_to_route_owner", "task_provider"): "Please find out why the task waited or failed: queue, worker or the "
    "delivery of its result",
    ("escalate_to_route_owner", "platform_team"): "Please find out which of our own layers holds the time or ends the "
    "exchange",
    ("fix_request", "provider"): "Please confirm that the parameter named below is refused for this model, and since "
    "when",
    ("fix_request", "azure"): "Please confirm which API version and model version of the deployment take the parameter "
    "named below",
    (
        "fix_request",
        "gateway_operator",
    ): "Please say whether the gateway or its upstream refuses or drops the parameter named below",
    ("fix_request", "reverse_operator"): "Please say which parameters the channel passes on",
    ("fix_request", "task_provider"): "Please say which input fields this model takes, and what they are called",
    ("fix_request", "platform_team"): "Please correct the parameter named below where our own code sets it",
    ("fix_account", "provider"): "Please check the verification, quota and model access of the organization that these "
    "request ids belong to",
    (
        "fix_account",
        "azure",
    ): "Please check whether the resource is blocked or its quota used up, and its access to the model",
    ("fix_account", "gateway_operator"): "Please check the key, budget and model access that the gateway uses towards "
    "its upstream",
    ("fix_account", "reverse_operator"): "Please check the state of whatever stands behind the channel",
    ("fix_account", "task_provider"): "Please check the credits and the model access of the account",
    ("fix_account", "platform_team"): "Please check our own account: verification, quota, spend limit and model access",
}


def asked(kind: DecisionKind, of: Recipient) -> str:
    """The sentence for this decision in the recipient's own terms; the common one where there is none."""
    return OWN_WORDS.get((kind, of)) or ASKED[kind]
