"""A connection by TLS proves who the server is, and where it fails, says what to change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from rrq.client import RRQClient
from rrq.config import load_settings
from rrq.embedded import EmbeddedRedis
from rrq.exc import ConfigError, RedisUnavailable
from rrq.settings import RRQSettings
from rrq.store.connection import connect, require_redis
from tests.security.tls import Authority, tls_in_front_of
from tests.security.workplace import configure, rrq, start_worker
from tests.support.places import Place


@pytest.fixture(scope="module")
def tcp_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tcp=True) as server:
        yield server


@pytest.fixture(scope="module")
def plain_port(tcp_server: EmbeddedRedis) -> int:
    return int(tcp_server.dsn.rpartition(":")[2].partition("/")[0])


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@pytest.fixture(scope="module")
def tls_port(plain_port: int, ours: Authority) -> Iterator[int]:
    with tls_in_front_of(plain_port, ours.server_context("localhost")) as port:
        yield port


@pytest.fixture(scope="module")
def mutual_port(plain_port: int, ours: Authority) -> Iterator[int]:
    with tls_in_front_of(plain_port, ours.server_context("localhost", wants_client=True)) as port:
        yield port


def dsn(port: int, host: str = "localhost", **options: str | Path) -> str:
    query = "&".join(f"{name}={quote(str(value))}" for name, value in options.items())
    return f"rediss://{host}:{port}/0?{query}"


async def refusal(address: str) -> str:
    settings = RRQSettings(redis_dsn=address)
    redis = connect(settings, retries=0)
    with pytest.raises(RedisUnavailable) as caught:
        await require_redis(redis, settings)
    await redis.aclose()
    text = str(caught.value)
    assert len(text.splitlines()) <= 2
    return text


def test_client_worker_and_command_speak_tls_when_the_dsn_names_the_ca(
    place: Place, tls_port: int, ours: Authority
) -> None:
    configure(place)
    address = dsn(tls_port, ssl_ca_certs=ours.ca_file)
    place.write(
        "produce.py",
        """
        import os
        from rrq.client import RRQClient, SyncRRQClient
        from rrq.settings import RRQSettings

        with SyncRRQClient(RRQSettings(redis_dsn=os.environ["RRQ_REDIS_DSN"])) as client:
            print(client.wait(client.enqueue("echo", "over TLS"), timeout=20))
        """,
    )

    worker = start_worker(place, address)
    produced = place.run("python", "produce.py", RRQ_REDIS_DSN=address)
    checked = rrq(place, address, "check")
    worker.stop()

    assert produced.stdout == "over TLS\n"
    assert "rrq_worker_" in checked.stdout


async def test_a_client_certificate_is_shown_to_a_server_that_wants_one(
    mutual_port: int, ours: Authority
) -> None:
    address = dsn(
        mutual_port,
        ssl_ca_certs=ours.ca_file,
        ssl_certfile=ours.cert_file,
        ssl_keyfile=ours.key_file,
    )
    async with RRQClient(RRQSettings(redis_dsn=address)) as client:
        job = await client.enqueue("echo", 1)
        assert job is not None
        assert await client.get_job(job.id) is not None


async def test_without_a_client_certificate_the_error_says_how_to_name_one(
    mutual_port: int, ours: Authority
) -> None:
    text = await refusal(dsn(mutual_port, ssl_ca_certs=ours.ca_file))

    assert "ssl_certfile=" in text
    assert "ssl_keyfile=" in text


@pytest.mark.parametrize("named", ["none", "wrong"])
async def test_a_certificate_of_an_unknown_ca_is_refused(
    tls_port: int, theirs: Authority, named: str
) -> None:
    options = {} if named == "none" else {"ssl_ca_certs": theirs.ca_file}

    text = await refusal(dsn(tls_port, **options))

    assert f"TLS with Redis at localhost:{tls_port} fails: its certificate is not trusted" in text
    assert "ssl_ca_certs=" in text
    assert "--embedded-redis" not in text


async def test_a_certificate_for_another_host_is_refused(plain_port: int, ours: Authority) -> None:
    with tls_in_front_of(plain_port, ours.server_context("elsewhere.example.org")) as port:
        text = await refusal(dsn(port, ssl_ca_certs=ours.ca_file))

        assert "not trusted" in text
        assert "localhost" in text


async def test_the_host_is_only_ignored_on_demand(plain_port: int, ours: Authority) -> None:
    with tls_in_front_of(plain_port, ours.server_context("elsewhere.example.org")) as port:
        for options in ({"ssl_cert_reqs": "none"}, {"ssl_check_hostname": "false"}):
            address = dsn(port, ssl_ca_certs=ours.ca_file, **options)
            async with RRQClient(RRQSettings(redis_dsn=address)) as client:
                await require_redis(client.job_store.redis, client.settings)


def test_the_cas_of_the_system_stay_trusted_beside_the_one_that_is_named(
    place: Place, tls_port: int, ours: Authority, theirs: Authority
) -> None:
    address = dsn(tls_port, ssl_ca_certs=theirs.ca_file)

    ended = rrq(place, address, "queue", "list", SSL_CERT_FILE=str(ours.ca_file))

    assert ended.stdout.startswith("queue\t")


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
async def test_a_file_that_is_not_there_is_named(
    tls_port: int, ours: Authority, tmp_path: Path, option: str
) -> None:
    missing = tmp_path / "missing.pem"
    named = {"ssl_ca_certs": ours.ca_file, "ssl_keyfile": ours.key_file, option: missing}
    named.setdefault("ssl_certfile", ours.cert_file)

    text = await refusal(dsn(tls_port, **named))

    assert str(missing) in text
    assert option in text


async def test_a_port_without_tls_is_told_from_a_server_that_is_away(plain_port: int) -> None:
    assert "speaks no TLS" in await refusal(dsn(plain_port))
    assert "cannot be reached" in await refusal(dsn(1))


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("redis://localhost/0?ssl_ca_certs=/ca.pem", "no effect without TLS"),
        ("rediss://localhost/0?ssl_cert_reqs=nonw", "required, optional, none"),
        ("rediss://localhost/0?ssl_ca_cert=/ca.pem", "ssl_ca_certs"),
    ],
)
def test_an_option_that_would_not_protect_anything_is_refused(address: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_settings(redis_dsn=address)
    with pytest.raises(ConfigError, match=problem):
        connect(RRQSettings(redis_dsn=address))


def test_a_worker_and_a_command_refuse_a_wrong_ca_in_two_lines_and_end(
    place: Place, tls_port: int, theirs: Authority
) -> None:
    configure(place)
    address = dsn(tls_port, ssl_ca_certs=theirs.ca_file)

    worker = rrq(place, address, "worker", "run", code=1)
    command = rrq(place, address, "check", code=1)

    for ended in (worker, command):
        [line] = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
        assert "its certificate is not trusted" in line
        assert "Traceback" not in ended.stderr
