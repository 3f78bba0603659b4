"""What applications of RRQ 0.9 import and call, by the names that they use."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module

import pytest

import rrq
from rrq.settings import ExecutorConfig, RRQSettings

NAMES = {
    "rrq": [
        "RRQClient",
        "SyncRRQClient",
        "RRQSettings",
        "ExecutorConfig",
        "JobRegistry",
        "JobRequest",
        "PythonExecutorSettings",
        "ExecutionContext",
        "ExecutionRequest",
        "ExecutionOutcome",
        "hookimpl",
        "hookspec",
    ],
    "rrq.client": ["RRQClient", "SyncRRQClient"],
    "rrq.config": ["load_toml_settings"],
    "rrq.settings": ["RRQSettings", "ExecutorConfig"],
    "rrq.registry": ["JobRegistry"],
    "rrq.executor_settings": ["PythonExecutorSettings"],
    "rrq.exc": ["RRQError", "RetryJob", "HandlerNotFound", "JobNotFound", "MaxRetriesExceeded"],
    "rrq.store": ["JobStore"],
    "rrq.job": ["Job", "JobStatus"],
    "rrq.executor": [
        "ExecutionRequest",
        "ExecutionContext",
        "ExecutionOutcome",
        "Executor",
        "StdioExecutor",
        "PythonExecutor",
    ],
    "rrq.telemetry": ["configure", "disable", "get_telemetry"],
}

STORE_QUESTIONS = {
    "get_job_definition": ["job_id"],
    "get_job_data_dict": ["job_id"],
    "get_job_status": ["job_id"],
    "get_queued_job_ids": ["queue", "start", "end"],
    "get_ready_job_ids": ["queue", "count"],
    "is_job_queued": ["queue", "job_id"],
    "remove_job_from_queue": ["queue", "job_id"],
    "get_lock_ttl": ["unique_key"],
    "get_unique_lock_holder": ["unique_key"],
    "get_worker_health": ["worker_id"],
    "batch_get_queue_sizes": ["names"],
    "aclose": [],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names]
)
def test_a_public_name_can_be_imported_from_where_it_always_was(module: str, name: str) -> None:
    assert getattr(import_module(module), name) is not None


def test_a_name_that_rrq_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'rrq' has no attribute 'Worker'"):
        rrq.Worker  # noqa: B018
    assert set(rrq.__all__) <= set(dir(rrq))


@pytest.mark.parametrize(("question", "arguments"), STORE_QUESTIONS.items())
def test_the_job_store_answers_the_questions_that_it_always_did(
    question: str, arguments: list[str]
) -> None:
    from rrq.store import JobStore

    signature = inspect.signature(getattr(JobStore, question))
    assert list(signature.parameters) == ["self", *arguments]


async def test_the_job_store_is_reached_through_the_client_and_has_settings_and_redis(
    settings: RRQSettings,
) -> None:
    async with rrq.RRQClient(settings) as client:
        assert client.job_store.settings is settings
        assert await client.job_store.redis.ping()
        job = await client.enqueue("work", 1, a=2)
        assert job is not None
        store = client.job_store
        assert await store.get_job_status(job.id) == "PENDING"
        assert await store.is_job_queued("rrq:queue:default", job.id)
        assert await store.get_queued_job_ids("default") == [job.id]
        assert await store.get_ready_job_ids("default", 5) == [job.id]
        assert await store.batch_get_queue_sizes(["default", "none"]) == {"default": 1, "none": 0}
        fields = await store.get_job_data_dict(job.id)
        assert fields is not None
        assert fields["job_args"] == "[1]"
        assert await store.remove_job_from_queue("default", job.id)
        assert await store.get_worker_health("rrq_worker_none") == (None, None)
        assert await store.get_lock_ttl("free") == 0


def test_the_defaults_are_those_that_configurations_rely_on() -> None:
    settings = RRQSettings()
    assert settings.redis_dsn == "redis://localhost:6379/0"
    assert settings.default_queue_name == "rrq:queue:default"
    assert settings.default_dlq_name == "rrq:dlq:default"
    assert settings.default_max_retries == 5
    assert settings.default_job_timeout_seconds == 300
    assert settings.default_lock_timeout_extension_seconds == 60
    assert settings.default_result_ttl_seconds == 86_400
    assert settings.default_unique_job_lock_ttl_seconds == 21_600
    assert settings.worker_concurrency == 10
    assert settings.default_executor_name == "python"
    assert settings.worker_health_check_interval_seconds == 60
    assert settings.base_retry_delay_seconds == 5
    assert settings.max_retry_delay_seconds == 3_600
    assert settings.worker_shutdown_grace_period_seconds == 10
    assert settings.expected_job_ttl == 30


def test_an_executors_keys_are_kept_for_its_transport() -> None:
    config = ExecutorConfig(type="stdio", cmd=["python", "x.py"], pool_size=2)
    assert config.transport_options() == {"cmd": ["python", "x.py"], "pool_size": 2}


def test_a_prefix_of_ones_own_names_the_default_queue_and_dlq() -> None:
    settings = RRQSettings(key_prefix="{shop}")
    assert settings.default_queue_name == "{shop}:queue:default"
    assert settings.default_dlq_name == "{shop}:dlq:default"
    assert RRQSettings(key_prefix="{shop}", default_queue_name="x").default_queue_name == "x"


@pytest.mark.parametrize("backend", ["otel", "ddtrace", "logfire"])
def test_a_switch_for_a_plugin_that_is_not_installed_names_the_package(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"rrq_{backend}", None)
    enable = import_module(f"rrq.integrations.{backend}").enable
    with pytest.raises(ImportError, match=f"pip install rrq-{backend}"):
        enable()
    expected = {
        "otel": ["service_name"],
        "logfire": ["service_name"],
        "ddtrace": ["service", "env", "version", "component"],
    }
    assert list(inspect.signature(enable).parameters) == expected[backend]


def test_a_retry_keeps_its_message_and_delay() -> None:
    from rrq.exc import RetryJob, RRQError

    assert str(RetryJob()) == "Job requested retry"
    retry = RetryJob("later", defer_seconds=3)
    assert (str(retry), retry.defer_seconds) == ("later", 3)
    assert isinstance(retry, RRQError)
