import pytest

from healer.config.kinds.postgres import SSL_MODES, host
from healer.config.load import load_config
from healer.errors import ConfigError
from healer.yamldoc.secret import Secret
from healer.yamldoc.shape import Mistake

MAIN = {"kind": "postgres", "name": "main"}


def one(**more):
    return load_config({"version": 1, "targets": [MAIN | more]}, environ={}).targets[0]


def problems(**more):
    with pytest.raises(ConfigError) as caught:
        one(**more)
    return " ".join(caught.value.problems)


def test_without_any_key_it_is_the_server_on_this_host():
    spec = one().spec
    assert (spec["host"], spec["port"], spec["dbname"], spec["sslmode"]) == (
        "/var/run/postgresql", 5432, "postgres", "prefer",
    )  # fmt: skip
    assert "user" not in spec
    assert spec["superusers"] == "spare"


def test_a_password_is_named_and_never_written():
    assert one(password={"credential": "pg"}).spec["password"] == Secret(credential="pg")
    said = problems(password="hunter2")
    assert "hunter2" not in said
    assert "secrets are named" in said


@pytest.mark.parametrize(
    "text", ["postgresql://me:hunter2@db/shop", "host=db password=x", "me@db", "a,b", "db 1", "http://db"]
)
def test_a_connection_string_is_no_host(text):
    with pytest.raises(Mistake):
        host(text)


@pytest.mark.parametrize("text", ["db-1.example.org", "10.0.0.1", "::1", "/var/run/postgresql"])
def test_hosts_addresses_and_folders_are(text):
    assert host(text) == text


def test_modes_are_those_of_libpq_and_others_are_refused():
    assert SSL_MODES[0] == "disable"
    assert SSL_MODES[-1] == "verify-full"
    assert "sslmode" in problems(sslmode="always") or "always" in problems(sslmode="always")


def test_a_primary_and_what_may_be_updated_are_read():
    spec = one(primary={"host": "db-1"}, updates={"public.jobs": "state"}, spare="backup").spec
    assert dict(spec["primary"]) == {"host": "db-1", "port": 5432}
    assert spec["updates"] == {"public.jobs": ("state",)}
    assert spec["spare"] == ("backup",)
