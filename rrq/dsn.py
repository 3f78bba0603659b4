"""Redis DSNs: what is wrong with one, and how to show one without its password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

ACCEPTED_FORMS = (
    "redis://[user:password@]host[:port][/db], rediss:// likewise (TLS), or unix:///path/to/socket"
)


def mask_dsn(dsn: str) -> str:
    """The DSN with `***` for its password, whatever characters that holds.

    A DSN that does not follow the rules of URLs is read in the way that hides most: what could
    belong to a password is hidden. A lone user name is hidden too, for it is most often a
    password that lacks its colon.
    """
    scheme, rest = _split_scheme(_SECRET_OPTION.sub(r"\1***", dsn))
    well_formed = (_SOCKET if scheme == "unix://" else _ADDRESS).fullmatch(rest)
    if well_formed:
        credentials = well_formed["credentials"] or ""
        return scheme + _masked(credentials, scheme) + rest[len(credentials) :]
    credentials, at, address = rest.rpartition("@")
    if at and _UNKNOWN_OPTION.search(credentials):
        # The `@` may belong to the value of that option.
        return f"{scheme}***"
    address = _UNKNOWN_OPTION.sub(r"\1***", address)
    if at:
        return scheme + _masked(credentials + at, scheme) + address
    return scheme + _COLON_WITHOUT_PORT.sub(":***", address)


def dsn_problem(dsn: str) -> str | None:
    """Why RRQ cannot use this DSN, without a word of what it holds; `None` if it can."""
    scheme, _ = _split_scheme(dsn)
    if scheme not in _SCHEMES:
        return "it does not begin with redis://, rediss:// or unix://"
    if any(ord(character) < 32 for character in dsn):
        return "it holds a control character"
    if "#" in dsn:
        return f"it holds a '#'{_ENCODE}"
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        return f"its host or port cannot be read{_ENCODE if '@' in dsn else ''}"
    if scheme == "unix://":
        if parts.hostname:
            return "a third slash must begin the path of the socket"
        if parts.path in ("", "/"):
            return "it names no socket"
    else:
        if not parts.hostname:
            return f"it names no host{_ENCODE if '@' in dsn else ''}"
        if port == 0:
            return "its port is not from 1 to 65535"
        if not re.fullmatch(r"(?:/[0-9]*)?/?", parts.path):
            return f"its database is not a number{_ENCODE if '@' in parts.path else ''}"
    return _option_problem(scheme, parts.query)


_SCHEMES = ("redis://", "rediss://", "unix://")
_ENCODE = "; write special characters of the password percent-encoded (@ as %40, / as %2F)"

_TEXT_OPTIONS = (
    "username",
    "password",
    "client_name",
    "socket_keepalive",
    "retry_on_timeout",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_ciphers",
    "ssl_check_hostname",
    "ssl_include_verify_flags",
    "ssl_exclude_verify_flags",
)
_WHOLE_OPTIONS = (
    "db",
    "max_connections",
    "health_check_interval",
    "protocol",
    "socket_read_size",
    "ssl_min_version",
)
_NUMBER_OPTIONS = ("timeout", "socket_timeout", "socket_connect_timeout")

_CERTIFICATE_CHECKS = ("required", "optional", "none")
_KNOWN_OPTIONS = {*_TEXT_OPTIONS, *_WHOLE_OPTIONS, *_NUMBER_OPTIONS, "ssl_cert_reqs"}

_OPTION = f"(?:{'|'.join(sorted(_KNOWN_OPTIONS - {'password', 'ssl_password'}))})"
_SECRET_OPTION = re.compile(rf"([?&][a-z_]*password=).*?(?=&{_OPTION}=|\Z)", re.S | re.I)
# A misspelt `password` is a secret too.
_UNKNOWN_OPTION = re.compile(rf"([?&](?!{_OPTION}=|[a-z_]*password=\*\*\*)[a-z_]+=).*", re.S | re.I)

_QUERY = (
    r"\?(?:(?:username|client_name)=[^&#]*|[a-z_]*password=\*\*\*|"
    rf"{_OPTION}=[^&#@]*)"
)
_OPTIONS = rf"(?:{_QUERY}(?:&{_QUERY[2:]})*)?"
_CREDENTIALS = r"(?P<credentials>[^/?#]*@)?"
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::[0-9]*)?"
_ADDRESS = re.compile(rf"{_CREDENTIALS}{_HOST}(?:/[0-9]*/?)?{_OPTIONS}", re.I)
# An `@` in the path behind credentials could also end the password.
_SOCKET = re.compile(rf"(?!/){_CREDENTIALS}/[^?#@]*{_OPTIONS}|/[^?#]*{_OPTIONS}", re.I)
_COLON_WITHOUT_PORT = re.compile(r":(?![0-9]*(?:[/?]|\Z)).*", re.S)


def _split_scheme(dsn: str) -> tuple[str, str]:
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", dsn)
    return (dsn[: match.end()], dsn[match.end() :]) if match else ("", dsn)


def _masked(credentials: str, scheme: str) -> str:
    """`user:***@` for `user:password@`; `***@` where it is not sure what is the user."""
    user, colon, _ = credentials.partition(":")
    if scheme in _SCHEMES and colon and re.fullmatch(r"[\w.%+-]*", user):
        return f"{user}:***@"
    return "***@" if credentials.strip("@") else credentials


def _option_problem(scheme: str, query: str) -> str | None:
    for option in query.split("&") if query else ():
        name, equals, value = option.partition("=")
        if not equals or not re.fullmatch(r"[a-z_]+", name):
            return f"what follows the '?' is not name=value{_ENCODE if '@' in query else ''}"
        if name in _WHOLE_OPTIONS and not re.fullmatch("[0-9]+", value):
            return f"its option {name} is not a whole number"
        if name in _NUMBER_OPTIONS and not re.fullmatch(r"[0-9]*\.?[0-9]+", value):
            return f"its option {name} is not a number"
        if name.startswith("ssl_") and scheme != "rediss://":
            return f"its option {name} has no effect without TLS: write rediss://"
        if name == "ssl_cert_reqs" and value not in _CERTIFICATE_CHECKS:
            return f"its option {name} is none of {', '.join(_CERTIFICATE_CHECKS)}"
        if name not in _KNOWN_OPTIONS:
            return f"it has an option that is not one of {', '.join(sorted(_KNOWN_OPTIONS))}"
    return None
