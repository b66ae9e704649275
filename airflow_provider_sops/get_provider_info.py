"""The package's description for Airflow's provider discovery: its parts and its connection forms."""

from __future__ import annotations

from typing import Any

_SOPS = "BlueKing SOPS"
_ENOS = "EnOS"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, as Airflow's ``provider_info.schema.json`` defines it.

    Airflow calls this through the entry point ``apache_airflow_provider``, so it must import nothing heavy.
    ``conn-fields`` and ``ui-field-behaviour`` are read by Airflow 3.2 and newer; older versions call the corresponding
    methods of the hook class.
    """
    return {
        "package-name": "airflow-provider-sops",
        "name": "BlueKing SOPS",
        "description": "Run, watch and control flows of BlueKing SOPS (标准运维) and of EnOS from Airflow.",
        "integrations": [
            {
                "integration-name": _SOPS,
                "external-doc-url": "https://github.com/TencentBlueKing/bk-sops",
                "tags": ["service"],
            },
            {
                "integration-name": _ENOS,
                "external-doc-url": "https://support.enos-iot.com/docs/batch-processing-api/en/dev/v2.1/overview.html",
                "tags": ["service"],
            },
        ],
        "hooks": [
            _modules(_SOPS, "airflow_provider_sops.hooks.sops"),
            _modules(_ENOS, "airflow_provider_sops.hooks.enos"),
        ],
        "operators": [
            _modules(_SOPS, "airflow_provider_sops.operators.sops"),
            _modules(_ENOS, "airflow_provider_sops.operators.enos"),
        ],
        "sensors": [
            _modules(_SOPS, "airflow_provider_sops.sensors.sops"),
            _modules(_ENOS, "airflow_provider_sops.sensors.enos"),
        ],
        "triggers": [
            _modules(_SOPS, "airflow_provider_sops.triggers.sops"),
            _modules(_ENOS, "airflow_provider_sops.triggers.enos"),
        ],
        "bundles": [_modules(_SOPS, "airflow_provider_sops.bundles.sops")],
        "notifications": ["airflow_provider_sops.notifications.sops.SopsTaskNotifier"],
        "extra-links": [
            "airflow_provider_sops.links.sops.SopsTaskLink",
            "airflow_provider_sops.links.sops.SopsClaimLink",
        ],
        # Airflow 2 calls assets datasets, and looks for the second key.
        "asset-uris": [_ASSETS],
        "dataset-uris": [_ASSETS],
        "config": {"sops": {"description": "Defaults of the provider for BlueKing SOPS.", "options": _OPTIONS}},
        # `airflow sops ...`; before Airflow 3.3 nothing reads it.
        "cli": ["airflow_provider_sops.cli.main.airflow_commands"],
        "connection-types": [
            {
                "connection-type": "sops",
                "hook-class-name": "airflow_provider_sops.hooks.sops.SopsHook",
                "hook-name": "BlueKing SOPS",
                "ui-field-behaviour": _SOPS_FIELD_BEHAVIOUR,
                "conn-fields": _SOPS_FIELDS,
            },
            {
                "connection-type": "enos",
                "hook-class-name": "airflow_provider_sops.hooks.enos.EnosHook",
                "hook-name": "EnOS",
                "ui-field-behaviour": _ENOS_FIELD_BEHAVIOUR,
                "conn-fields": _ENOS_FIELDS,
            },
        ],
    }


_ASSETS = {
    "schemes": ["sops"],
    "handler": "airflow_provider_sops.sops.asset_uri.normalize_uri",
    "to_openlineage_converter": "airflow_provider_sops.task_instance.openlineage.asset_as_dataset",
}


def _modules(integration: str, *names: str) -> dict[str, Any]:
    return {"integration-name": integration, "python-modules": list(names)}


def _option(description: str, kind: str, default: str, example: str) -> dict[str, Any]:
    """Describe one option of the section ``[sops]``."""
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "default": default,
        "example": example,
    }


_OPTIONS = {
    "poll_interval_seconds": _option(
        "Time between two looks at a SOPS task, in seconds, where an operator does not set poll_interval_seconds,\n"
        "or a sensor poke_interval.\n"
        "Empty: a tenth of the time that the flow has been running, at least 1.5 and at most 10 seconds.\n",
        "float",
        "",
        "30",
    ),
    "max_outage_seconds": _option(
        "How long SOPS may be out of reach before a wait fails, in seconds, where an operator or a sensor does not\n"
        "set max_outage_seconds.\n",
        "float",
        "3600",
        "14400",
    ),
    "node_details": _option(
        "Of which nodes of a watched flow inputs, outputs and log are read at their end, two requests for each, where\n"
        "SopsDag or SopsTaskGroup do not set node_details: failed, all or none. Only nodes that are read have outputs\n"
        "in XCom.\n",
        "string",
        "failed",
        "all",
    ),
    "max_answer_mb": _option(
        "The largest answer of SOPS that is read, in MiB, where a connection does not set max_answer_mb.\n",
        "float",
        "64",
        "256",
    ),
    "ui_actions": _option(
        "Whether people may act in SOPS from Airflow's pages.\n",
        "boolean",
        "True",
        "False",
    ),
}

_SOPS_FIELD_BEHAVIOUR = {
    "hidden-fields": ["schema", "port", "extra"],
    "relabeling": {
        "host": "Gateway address",
        "login": "App code (bk_app_code)",
        "password": "App secret (bk_app_secret)",
    },
    "placeholders": {
        "host": "https://bk-sops.apigw.example.com",
        "login": "airflow",
    },
}


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Describe one field of the form; its type defaults to an optional string."""
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


_WAY_FIELDS = {
    "verify": _field("Verify TLS", "true, false, or the path of a CA certificate file.", default="true"),
    "proxy": _field("Proxy", "Address of an HTTP proxy for the gateway."),
    "timeout_seconds": _field(
        "Timeout (seconds)",
        "How long one request may take before it fails.",
        type=["number", "null"],
        minimum=1,
        default=30,
    ),
    "max_answer_mb": _field(
        "Largest answer (MiB)",
        "A larger answer is rejected.",
        type=["number", "null"],
        minimum=1,
        default=64,
    ),
}

_SOPS_FIELDS = {
    "gateway": _field(
        "Gateway kind",
        "apigw: the API Gateway, {host}/{stage}/... esb: the older ESB, {host}/api/c/compapi/v2/sops/...",
        enum=["apigw", "esb"],
        default="apigw",
    ),
    "stage": _field("Stage", "Stage of the API Gateway; not used with ESB.", default="prod"),
    "identity": _field(
        "Identity",
        "As whom the API Gateway is called. user: the user below. app: the app alone, by the resources below system/ "
        "of SOPS 3.35 and newer, where the gateway does not trust a bk_username without a token.",
        enum=["user", "app"],
        default="user",
    ),
    "tenant_id": _field(
        "Tenant (tenant_id)",
        "Sent as X-Bk-Tenant-Id. Only for platforms with several tenants, where an app of all tenants must name one.",
    ),
    "bk_username": _field(
        "User (bk_username)",
        "The user that SOPS records as creator and executor. With identity user, the gateway must trust the app to "
        "set it; otherwise set a bk_token or an access_token, or identity app.",
    ),
    "bk_token": _field("User token (bk_token)", "Login token of the user.", format="password"),
    "access_token": _field("Access token (access_token)", "Access token of the user.", format="password"),
    "bk_biz_id": _field("Business id (bk_biz_id)", "The default business for operators and hooks."),
    "scope": _field(
        "Scope",
        "What the business id refers to: a CMDB business (cmdb_biz) or a SOPS project (project).",
        enum=["cmdb_biz", "project"],
        default="cmdb_biz",
    ),
    **_WAY_FIELDS,
}

_ENOS_FIELD_BEHAVIOUR = {
    "hidden-fields": ["schema", "port", "extra"],
    "relabeling": {
        "host": "API gateway address",
        "login": "AccessKey",
        "password": "SecretKey",
    },
    "placeholders": {"host": "https://apim-cn5.enos-iot.com"},
}

_ENOS_FIELDS = {
    "user_id": _field("User (userId)", "The user that the app acts for, for example u15426865866571."),
    "org_id": _field("Organisation (orgId)", "The user's organisation, for example o15632609593521."),
    "api_version": _field(
        "API version",
        "v2.1: batch-processing-service; v2.0: dataflow-batch-service, of EnOS before 2.1.2.",
        enum=["v2.1", "v2.0"],
        default="v2.1",
    ),
    **_WAY_FIELDS,
}
