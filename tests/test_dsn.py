"""A password is never shown, and a DSN that Redis cannot be reached by is refused early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import parse_url

from rrq.dsn import dsn_problem, mask_dsn


@given(
    password=st.text(alphabet=st.sampled_from("aZ9 @:/?#[]%&=.+'\"\\é\n℀"), max_size=12),
    scheme=st.sampled_from(["redis://", "rediss://", "http://", "unix://", ""]),
    user=st.sampled_from(["", "user"]),
    place=st.sampled_from(["host:6379/0", "host", "[::1]:6379", "/run/redis.sock", ""]),
)
def test_no_character_of_a_password_makes_it_visible(
    password: str, scheme: str, user: str, place: str
) -> None:
    secret = f"{password}S3CRET{password}"
    assert "S3CRET" not in mask_dsn(f"{scheme}{user}:{secret}@{place}")


@given(password=st.text(alphabet=st.sampled_from("aZ9 @:/?#[]%é\n℀"), max_size=12))
def test_no_character_of_a_password_option_makes_it_visible(password: str) -> None:
    assert "S3CRET" not in mask_dsn(f"redis://host:6379/0?db=1&password={password}S3CRET")


@pytest.mark.parametrize(
    ("dsn", "masked"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:pw@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:p@ss@host:6379/0", "rediss://user:***@host:6379/0"),
        ("redis://user:p/w@host:6379/0", "redis://user:***@host:6379/0"),
        ("redis://user:p?w@host", "redis://user:***@host"),
        ("redis://user:p#w@host", "redis://user:***@host"),
        ("redis://user:12/4@host", "redis://user:***@host"),
        ("redis://:p:w@[::1]:6379/0", "redis://:***@[::1]:6379/0"),
        ("redis://pw@host", "redis://***@host"),
        ("redis://:pw", "redis://:***"),
        ("redis://host/0?password=a&b@c&db=3", "redis://host/0?password=***&db=3"),
        ("redis://:pw@host/0?client_name=a@b", "redis://:***@host/0?client_name=a@b"),
        (
            "rediss://h?ssl_password=x&ssl_cert_reqs=none",
            "rediss://h?ssl_password=***&ssl_cert_reqs=none",
        ),
        ("unix://:pw@/run/redis.sock?db=1", "unix://:***@/run/redis.sock?db=1"),
        ("redis://user:p@/w@host", "redis://user:***@host"),
        ("unix:///run/a@b.sock", "unix:///run/a@b.sock"),
        ("unix://:p@/w@/run/redis.sock", "unix://:***@/run/redis.sock"),
        ("user:pw@host", "***@host"),
        ("redis:/:pw@host", "***@host"),
        ("", ""),
    ],
)
def test_all_but_the_password_stays_readable(dsn: str, masked: str) -> None:
    assert mask_dsn(dsn) == masked


@pytest.mark.parametrize(
    ("dsn", "host", "db"),
    [
        ("redis://localhost", "localhost", None),
        ("redis://localhost:6380/", "localhost", None),
        ("redis://localhost:6380/3", "localhost", 3),
        ("redis://user:p%40ss@my_host.example:6380/3", "my_host.example", 3),
        ("redis://:p@ss:w rd@host/3", "host", 3),
        ("rediss://[::1]:6380/3?ssl_cert_reqs=none&socket_timeout=1.5", "::1", 3),
        ("redis://host?db=4", "host", 4),
        ("unix:///run/redis.sock?db=2", None, 2),
        ("unix://user:pw@/run/redis.sock", None, None),
    ],
)
def test_what_is_accepted_means_the_same_to_redis(
    dsn: str, host: str | None, db: int | None
) -> None:
    assert dsn_problem(dsn) is None
    parsed = parse_url(dsn)
    assert (parsed.get("host"), parsed.get("db")) == (host, db)
    assert host is not None or parsed["path"] == "/run/redis.sock"


@pytest.mark.parametrize(
    ("dsn", "problem"),
    [
        ("", "does not begin with"),
        ("localhost:6379", "does not begin with"),
        ("http://:S3CRET@host", "does not begin with"),
        ("REDIS://host", "does not begin with"),
        ("redis://", "no host"),
        ("redis:///0", "no host"),
        ("redis://:6379/0", "no host"),
        ("redis://host:S3CRET", "port cannot be read"),
        ("redis://host:65536", "port cannot be read"),
        ("redis://host:0", "port is not from 1"),
        ("redis://host/zero", "database is not a number"),
        ("redis://host/-1", "database is not a number"),
        ("redis://host?db=x", "option db is not a whole number"),
        ("redis://host?socket_timeout=soon", "option socket_timeout is not a number"),
        ("redis://host?S3CRET", "not name=value"),
        ("redis://:S3CRET/x@host/0", "percent-encoded"),
        ("redis://:S3CRET#x@host/0", "percent-encoded"),
        ("redis://:S3CRET?x@host/0", "percent-encoded"),
        ("redis://:S3[RET@host/0", "percent-encoded"),
        ("redis://:S3CRET\n@host/0", "control character"),
        ("redis://[::1/0", "cannot be read"),
        ("unix://", "no socket"),
        ("unix:///", "no socket"),
        ("unix://run/redis.sock", "third slash"),
    ],
)
def test_what_redis_cannot_be_reached_by_is_refused_without_showing_it(
    dsn: str, problem: str
) -> None:
    text = dsn_problem(dsn)
    assert text is not None
    assert problem in text
    assert "S3" not in text
    assert "S3" not in mask_dsn(dsn).replace("?S3CRET", "")
