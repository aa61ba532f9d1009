"""One policy for names: of headers, parameters, fields, variables, columns. Lower case, camelCase taken apart.

``drop:<kind>``  the value goes, whatever it is       ``id`` ``request_id`` ``hash``  it stays in that shape
``prose``        a sentence that may stay, inspected   ``host`` ``url`` ``path`` ``image`` ``text``  judged as such
``plain``        a figure or a word: inspected         null: unknown, inspected strictly
"""

# ruff: noqa: E501 - tables
from __future__ import annotations

import functools
import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def normal(name: str) -> str:
    """``X-Api-Key``, ``xApiKey`` and ``x_api_key`` are one name."""
    return _SEPARATORS.sub("_", _CAMEL.sub("_", name[:120]).lower()).strip("_")


def _each(policy: str, words: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), policy)


EXACT: dict[str, str] = {
    # ids by which a support desk finds an exchange
    **_each("request_id", """rid crid up_rid x_rid x_request_id request_id requestid req_id reqid x_req_id apim_request_id x_client_request_id
        client_request_id x_ms_client_request_id x_ms_request_id x_amzn_requestid x_amzn_request_id x_amzn_trace_id
        x_amz_request_id x_amz_id_2 x_amz_cf_id cf_ray ray_id rayid ray traceparent trace_id traceid span_id spanid
        parent_id parent_span_id parentspanid x_b3_traceid x_b3_trace_id x_b3_spanid x_b3_parentspanid x_b3_span_id
        x_datadog_trace_id x_datadog_parent_id dd_trace_id dd_span_id uber_trace_id sentry_trace x_cloud_trace_context
        x_correlation_id correlation_id correlationid x_vercel_id x_azure_ref x_litellm_call_id litellm_call_id
        x_oneapi_request_id x_api_request_id x_inference_id x_fal_request_id fal_request_id helicone_id
        x_kong_request_id x_generation_id generation_id fly_request_id x_nf_request_id cf_aig_log_id cf_aig_event_id
        x_portkey_trace_id x_railway_request_id ngrok_aig_request_id llm_provider_x_request_id llm_provider_request_id
        upstream_request_id provider_request_id gateway_request_id activity_id operation_id invocation_id
        aws_request_id lambda_request_id unique_id x_unique_id log_id amz_cf_id x_trace_id x_span_id x_replicate_id
        x_goog_request_id x_guploader_uploadid x_served_request_id call_id eagleeye_traceid x_tt_logid logid b3"""),
    **_each("id", """id uuid guid _id job_id task_id taskid run_id prediction_id response_id message_id completion_id
        batch_id event_id attempt_id transaction_id process_id execution_id worker_id thread_id connection_id conn_id
        item_id image_id output_id model_id version_id build_id commit revision git_sha sha digest_id rule_id query_id
        image_generation_call_id previous_response_id idempotency_key x_idempotency_key system_fingerprint cell_id
        jobid runid attempt cell x_litellm_model_id litellm_model_id"""),
    **_each("hash", """sha256 sha1 sha512 md5 sha hash digest checksum etag if_none_match fingerprint content_md5
        content_digest image_sha256 body_sha256 prompt_hash message_fingerprint image_hash file_hash integrity
        content_hash user_hash shape_hash prompt_sha256 x_amz_content_sha256 repr_digest want_digest sum crc32 x_goog_hash"""),
    # sentences of machines
    **_each("prose", """message msg error err reason detail details title description desc error_message errormessage
        error_description status_text statustext reason_phrase warning info note notes log summary hint help exception
        cause upstream_error event what fix why text_status user_agent useragent server via powered_by x_powered_by
        comment label display_name product sentence finding verdict evidence explanation status_message"""),
    # figures and words that a diagnosis lives on
    **_each("plain", """model model_name modelname engine size quality style n stream status status_code code type level
        loglevel severity method verb http_method protocol http_version httpversion version api_version apiversion
        content_type mimetype mime_type content_length content_encoding transfer_encoding accept accept_encoding
        cache_control connection keep_alive date timestamp time ts datetime starteddatetime started_date_time
        output_format response_format background moderation output_compression partial_images input_fidelity
        region datacenter colo phase outcome kind unit timezone tz openai_version openai_model openai_processing_ms
        x_ratelimit retry_after retry_after_ms x_should_retry server_timing x_cache cf_cache_status age vary alt_svc
        strict_transport_security x_content_type_options access_control_allow_methods access_control_expose_headers
        proxy_read_timeout proxy_connect_timeout proxy_send_timeout timeout role object finish_reason termination_state
        response_flags x_envoy_upstream_service_time max_tokens tokens prompt_tokens completion_tokens total_tokens
        input_tokens output_tokens cached_tokens image_tokens text_tokens input_tokens_details output_tokens_details
        prompt_chars prompt_length prompt_class prompt_complexity prompt_bucket prompt_words prompt_count
        x_stainless_lang x_stainless_package_version x_stainless_os x_stainless_arch x_stainless_runtime
        x_stainless_runtime_version x_stainless_retry_count x_stainless_async x_stainless_read_timeout sec_ch_ua
        auth_mode auth_type token_type key_type token_count max_output_tokens session_reused ssl_session_reused
        org_unverified account_type project_type user_count tls_version cipher http_status route_owner owner
        x_aspnet_version x_robots_tag nel report_to images image_count account_block"""),
    # never
    **_each("drop:key", """authorization proxy_authorization x_authorization auth auth_header api_key apikey x_api_key
        x_goog_api_key xi_api_key ocp_apim_subscription_key subscription_key x_functions_key password passwd pwd pass
        passphrase secret secrets token access_token refresh_token id_token auth_token bearer bearer_token credential
        credentials private_key secret_key access_key access_key_id secret_access_key session_token client_secret
        x_auth_token x_access_token x_amz_security_token jwt csrf csrf_token xsrf_token x_csrf_token x_xsrf_token otp
        mfa signature sig x_signature x_hub_signature x_hub_signature_256 stripe_signature x_slack_signature
        x_twilio_signature svix_signature webhook_signature hmac sas sas_token x_litellm_key litellm_key virtual_key master_key x_vercel_oidc_token
        vercel_oidc_token cf_aig_authorization cf_access_client_secret cf_access_client_id cf_access_jwt_assertion
        x_portkey_api_key x_portkey_virtual_key helicone_auth www_authenticate_secret encryption_key signing_key
        accountkey account_key sharedaccesskey shared_access_key x_vault_token x_gitlab_token private_token x_fal_key
        fal_key connection_string conn_str connectionstring database_url db_url redis_url mongo_uri mongodb_uri dsn
        sentry_dsn x_user_token x_session_token credential_scope x_amz_credential x_amz_signature x_goog_signature
        x_goog_credential awsaccesskeyid key_pair_id upload_signature hdnea hdnts acl_token verify_token
        code_verifier code_challenge assertion saml_response samlresponse openai_api_key key_hash
        hf_token x_auth_key x_auth_email_key authkey auth_key skoid sktid se_sig secret_id ticket api_token x_api_token
        sec_websocket_key sec_websocket_accept sec_websocket_protocol openai_insecure_api_key user_api_key
        user_api_key_hash user_api_key_alias hashed_api_key litellm_api_key"""),
    **_each("drop:cookie", """cookie cookies set_cookie set_cookie2 cookie2 session sessionid session_id sid x_session_id
        session_key phpsessid jsessionid connect_sid asp_net_sessionid laravel_session ci_session cf_bm cfuvid
        cf_clearance awsalb awsalbcors affinity gclid fbclid ga_client_id visitor_id device_id x_device_id
        openai_session_id oai_device_id oai_did analytics_id anonymous_id user_session browser_id"""),
    **_each("drop:prompt", """prompt prompts negative_prompt revised_prompt system_prompt user_prompt image_prompt
        original_prompt full_prompt final_prompt prompt_text text_prompt prompt_en instructions instruction caption
        alt_text input_text user_input user_message messages content transcript query_text prompt_preview
        negative prompt_2 rewritten_prompt optimized_prompt enhanced_prompt quoted_prompt output_text completion
        system user_query question suffix prompt_template"""),
    **_each("text", "text input inputs contents parts arguments parameters"),
    **_each("image", """image images_data b64_json b64 base64 mask image_url image_base64 image_b64 init_image
        thumbnail partial_image partial_image_b64 image_data imagedata input_image reference_image reference_images
        control_image img picture photo avatar result_image file_data bytes_base64_encoded image_bytes png jpeg output
        result data raw blob bytes file_content inline_data"""),
    **_each("drop:account", """organization org organisation organization_id org_id openai_organization openai_project
        project project_id project_name account account_id account_name account_number acct tenant tenant_id tenant_name
        customer customer_id customer_name customer_number customer_ref client_id client_name company company_name
        workspace workspace_id workspace_name team team_id team_name subscription subscription_id resource_group
        resource_name resource_id deployment deployment_id deployment_name channel channel_id channel_name
        channel_key account_pool pool pool_id pool_name pool_member upstream_account account_email seat_id
        key_alias key_name token_name key_id kid api_key_id apikey_id api_key_alias app_id application_id appid
        end_user end_user_id enduser patient_id employee_id member_id order_id invoice_id ticket_id case_id
        contract_id license license_id group_id owner_id created_by updated_by author billing_id merchant_id
        external_id external_ref subject sub x_customer_id x_tenant_id x_org_id x_account_id x_user_id
        azure_resource slot node_pool used_channel use_channel channel_info account_info sub_account virtual_account
        guild_id discord_id chat_id telegram_id room_id thread_ts conversation_id conversation safety_identifier
        prompt_cache_key metadata_user_id user_group vendor_account provider_account bucket_name container_name
        ms_azureml_model_deployment x_ms_deployment_name azureml_model_deployment aws_account gcp_project
        x_ratelimit_key rate_limit_key entity entity_id iss aud tid oid"""),
    **_each("drop:user", """user user_id userid username user_name login login_name first_name last_name full_name
        firstname lastname fullname given_name family_name surname nickname sender recipient assignee requester
        operator_name contact contact_name preferred_username remote_user auth_user x_forwarded_user x_remote_user x_user upn uid
        user_ref user_hint user_label logname sudo_user real_name author_name display_user employee employee_name"""),
    **_each("drop:email", "email e_mail mail email_address user_email x_forwarded_email from_email to_email contact_email"),
    **_each("drop:phone", "phone phone_number phonenumber tel telephone mobile fax msisdn whatsapp cell cell_phone"),
    **_each("drop:person", """address street street_address postal_address billing_address shipping_address zip zipcode
        zip_code postal_code postcode birthdate date_of_birth dob birthday ssn social_security tax_id vat vat_id iban bic
        passport card_number cardnumber cvv cvc card pan gender latitude longitude lat lng geo location_name
        cf_ipcity cf_iplatitude cf_iplongitude x_vercel_ip_city x_vercel_ip_latitude x_vercel_ip_longitude
        x_vercel_ip_postal_code cf_postal_code x_appengine_city x_appengine_citylatlong"""),
    **_each("drop:ip", """ip ip_address ipaddress client_ip clientip remote_ip remote_addr remoteaddr client_addr
        x_forwarded_for x_real_ip forwarded forwarded_for cf_connecting_ip cf_connecting_ipv6 true_client_ip
        fastly_client_ip x_client_ip x_cluster_client_ip x_original_forwarded_for x_envoy_external_address
        x_azure_clientip x_azure_socketip x_vercel_forwarded_for x_vercel_proxied_for server_ip serveripaddress
        server_ip_address peer_ip source_ip src_ip dst_ip dest_ip local_ip host_ip pod_ip node_ip upstream_addr
        client_address remote_address peer_address local_address upstream_address downstream_remote_address
        downstream_local_address upstream_local_address upstream_host peer mac mac_address c_ip s_ip clientaddr
        network_peer_address net_peer_ip client_socket_address server_socket_address"""),
    **_each("drop:host", """hostname host_name fqdn node node_name nodename pod pod_name podname instance instance_id instance_name
        machine machine_name machinename container container_id cluster cluster_name namespace server_name
        computer computer_name computername internal_host origin_host backend_host vm vm_name worker_host
        logstream log_stream upstream_cluster x_served_by x_backend x_backend_server x_host_id pod_uid
        k8s_pod_name k8s_node_name k8s_namespace_name host_id service_instance_id x_upstream_host
        x_render_origin_server x_forwarded_server x_server x_node task_arn cluster_arn backend_name server_addr
        x_real_host x_hostname workgroup domain_name ad_domain sni ssl_sni requested_server_name"""),
    **_each("host", "host x_forwarded_host upstream backend server_address domain origin_domain authority"),
    **_each("drop:path", """cwd home homedir home_dir workdir working_directory filepath file_path filename file_name
        path_translated script_filename document_root temp_dir tmpdir log_file logfile root_dir install_dir
        executable argv0 program_path oldpwd virtual_env config_file env_file cert_file key_file ca_file
        code_filepath pathname pathname_full source_file save_path output_path image_path upload_path"""),
    **_each("path", "path user_api_key_request_route file dir directory folder lineno_file script module_path location source"),
    **_each("url", """url uri href link request_uri request_url referer referrer origin base_url api_base endpoint
        target_url proxy https_proxy http_proxy all_proxy upstream_url image_link"""),
    **_each("drop:url", """callback callback_url callbackurl webhook webhook_url webhookurl notify_url notify_hook
        notification_url hook hook_url redirect_uri redirect_url return_url success_url cancel_url callback_uri
        webhook_uri postback postback_url x_callback_url x_amz_website_redirect signed_url presigned_url signedurl
        presignedurl upload_url download_url sas_url sas_uri blob_url x_fal_webhook fal_webhook webhooks slack_webhook
        result_url output_url image_public_url temp_url response_url cancel_link get_url stream_url"""),
}  # fmt: skip

_JOINED = {name.replace("_", ""): policy for name, policy in EXACT.items() if "_" in name and len(name) > 7}

# Words that decide for names that are not listed. The first row that fits wins.
_FIGURE = re.compile(
    r"(?:^|_)(?:ms|s|sec|secs|seconds|us|ns|minutes|hours|bytes|count|counts|total|size|usd|cost|chars|pct|percent|ratio"
    r"|tokens|limit|limits|remaining|reset|timeout|timeouts|ttl|age|len|length|rate|rpm|tpm|version|type|class|mode"
    r"|status|kind|format|enabled|required|valid|present|expires|expiry|max|min|at|duration|latency|attempts|retries"
    r"|words|level|index|number_of|num|reused|unverified|spend|budget|window|policy_name|width|height|depth|blocks)$"
)
_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|pw|secret|secrets|token|apikey|credential|credentials|authorization|bearer"
    r"|jwt|csrf|xsrf|hmac|signature|sig|otp|dsn|sas|oauth|authtoken|accesstoken|secretkey|accesskey|privatekey|creds)(?:_|$)"
    r"|(?:api|access|secret|private|master|signing|encryption|shared|account|auth|license|service|subscription|deploy"
    r"|ssh|client|admin|virtual|storage|session|security|provider|openai|azure|fal|replicate|ssl|tls|webhook|user)_key"
    r"|(?:password|passwd|passphrase|pwd)$|(?:^|_)pass(?:word)?(?:_|$)|_key$|key_[0-9]$|connection_string|connstr|(?:database|redis|mongo|postgres|amqp|db)_(?:url|uri)"
    r"|^(?:x_amz_(?:sig|cred|sec)|x_goog_(?:sig|cred))"
)
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("drop:cookie", re.compile(r"(?:^|_)(?:cookie|cookies|session|sessid|sessionid|sid)(?:_|$)")),
    ("drop:url", re.compile(r"(?:^|_)(?:callback|webhook|hook|notify|postback|presigned|signed)(?:_|$)")),
    ("drop:prompt", re.compile(r"(?:^|_)(?:prompt|prompts|caption|instructions)(?:_|$)")),
    ("drop:email", re.compile(r"(?:^|_)(?:email|e_mail|mailto)(?:_|$)")),
    ("drop:phone", re.compile(r"(?:^|_)(?:phone|telephone|msisdn|mobile_number)(?:_|$)")),
    ("drop:ip", re.compile(r"(?:^|_)(?:ip|ipv4|ipv6|ipaddr|ipaddress|addr)(?:_|$)(?!.*(?:country|region))")),
    ("image", re.compile(r"(?:^|_)(?:b64|base64|image|mask|thumbnail|picture|photo)(?:_|$)")),
    ("hash", re.compile(r"(?:^|_)(?:sha256|sha1|sha512|sha|md5|hash|digest|checksum|fingerprint|etag)(?:_|$)")),
    ("drop:account", re.compile(
        r"(?:^|_)(?:customer|tenant|organization|organisation|org|workspace|account|acct|accountid|subscription|channel|pool"
        r"|patient|employee|merchant|guild|deployment|project|team|company|member)(?:s)?(?:_(?:id|ids|name|names|no|nr|number"
        r"|ref|uuid|guid|key|alias|email|label|slug|code|title|owner|in_use|used|picked|chosen|member|members)){0,2}$")),
    ("drop:user", re.compile(r"(?:^|_)(?:user|username|login|owner|person|contact|first|last|full|display)(?:_(?:id|ids|name|names|uuid|ref|key|label|hash_salt))$")),
    ("drop:host", re.compile(r"(?:^|_)(?:hostname|fqdn|podname|nodename|hosts)$|(?:^|_)(?:pod|node|container|machine|instance)_(?:name|id|ip)$")),
    ("host", re.compile(r"(?:^|_)(?:host|upstream|backend)$")),
    ("request_id", re.compile(r"(?:^|_)(?:request|req|trace|traceid|span|correlation|requestid|ray)_?(?:id|ids|uuid|guid)?$")),
    ("id", re.compile(r"(?:^|_)(?:call|job|task|run|attempt|generation|prediction|response|transaction|operation|invocation"
                      r"|event|message|completion|batch|execution|parent|log|query|flow|process|generation_call)_(?:id|ids|uuid|guid)$")),
    ("url", re.compile(r"(?:^|_)(?:url|uri|urls|uris|href|link|endpoint|proxy)$")),
    ("drop:path", re.compile(r"(?:^|_)(?:filename|filepath|file_name|file_path|workdir|homedir|cwd|dirname)$")),
    ("path", re.compile(r"(?:^|_)(?:path|file|dir|directory|folder)$")),
    ("prose", re.compile(r"(?:^|_)(?:message|msg|error|reason|detail|description)$")),
)  # fmt: skip
_PARTS = re.compile(r"[.\[\]/:]+")
_RATE = re.compile(r"(?:^|_)(?:x_)?rate_?limit")


@functools.lru_cache(maxsize=100_000)
def policy_of(name: str) -> str | None:
    """The policy for a name as it was written; null when nothing is known of it."""
    tail = _PARTS.split(name[:200].rstrip("[]"))[-1]
    found = _policy_of(normal(name))
    if found is None and tail != name:  # app.user, metadata[customer], http.response.header.x-request-id
        found = _policy_of(normal(tail))
    return found


def _policy_of(name: str) -> str | None:
    if not name:
        return None
    for known in (name, name.removeprefix("x_"), name.removeprefix("http_"), name.removeprefix("sent_http_"),
                  name.removeprefix("upstream_http_"), name.removeprefix("env_"), name.replace("_", "")):  # fmt: skip
        if known in EXACT:
            return EXACT[known]
    if name.replace("_", "") in _JOINED:  # NEGATIVEPROMPT
        return _JOINED[name.replace("_", "")]
    if _RATE.search(name):
        return "plain"
    if _FIGURE.search(name):
        return "plain"
    if _SECRET.search(name):
        return "drop:key"
    return next((policy for policy, pattern in _WORDS if pattern.search(name)), None)
