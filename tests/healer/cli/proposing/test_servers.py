"""What each server is proposed as, on hosts made of files here."""

import socket

import pytest

from healer.cli.proposing.heard import Heard
from healer.cli.proposing.servers import at_rest, of_server, plain


def heard(name, port, **more):
    return Heard(**{"name": name, "pid": 7, "address": "127.0.0.1", "port": port, **more})


def ids(found):
    return [one.id for one in found]


def test_postgres_is_reached_by_its_socket_where_there_is_one(tmp_path):
    folder = tmp_path / "var/run/postgresql"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / ".s.PGSQL.5433"))
        (by_socket,) = of_server(heard("postgres", 5433, unit="postgresql@15-main.service"), tmp_path)
    (by_port,) = of_server(heard("postgres", 5432), tmp_path)
    assert dict(by_socket.keys) == {
        "host": "/var/run/postgresql", "port": 5433, "user": "healer", "requires": ["unit:postgresql@15-main.service"],
    }  # fmt: skip
    assert by_port.keys["host"] == "127.0.0.1"
    assert "pg_monitor" in by_port.needs
    assert "credential" in by_port.needs


def test_logs_that_are_there_are_read(tmp_path):
    for path in ("var/log/postgresql/postgresql-15-main.log", "var/log/nginx/error.log"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    _, log = of_server(heard("postgres", 5432), tmp_path)
    assert (log.id, log.keys["path"]) == ("log:postgres-log", "/var/log/postgresql/*.log")
    assert ids(of_server(heard("nginx", 80), tmp_path)) == ["http:nginx-80", "log:nginx-log"]


def test_redis_and_its_heirs_are_redis(tmp_path):
    assert ids(of_server(heard("redis-server", 6379), tmp_path)) == ["redis:redis-6379"]
    assert ids(of_server(heard("valkey-server", 6380), tmp_path)) == ["redis:redis-6380"]


def test_rabbitmq_is_its_management_and_the_port_of_its_messages(tmp_path):
    argv = ("/usr/lib/erlang/beam.smp", "-s", "rabbit", "boot")
    assert of_server(heard("beam.smp", 15672, argv=argv), tmp_path)[0].keys == {"url": "http://127.0.0.1:15672"}
    assert ids(of_server(heard("beam.smp", 5672, argv=argv), tmp_path)) == ["tcp:rabbitmq-5672"]
    assert of_server(heard("beam.smp", 25672, argv=argv), tmp_path) == []
    assert ids(of_server(heard("beam.smp", 9), tmp_path)) == ["process:beam.smp", "tcp:beam.smp-9"]


def test_rabbitmq_on_ports_of_its_own_is_found_by_its_configuration(tmp_path):
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/environ").write_text("HOME=/x\0RABBITMQ_CONFIG_FILE=/etc/r/rabbit\0PASSWORD=secret\0")
    (tmp_path / "etc/r").mkdir(parents=True)
    (tmp_path / "etc/r/rabbit.conf").write_text("management.tcp.port = 9001\nlisteners.tcp.local = 127.0.0.1:9002\n")
    argv = ("rabbit",)
    found = of_server(heard("beam.smp", 9001, argv=argv), tmp_path) + of_server(
        heard("beam.smp", 9002, argv=argv), tmp_path
    )
    assert ids(found) == ["rabbitmq:rabbitmq", "tcp:rabbitmq-9002"]
    assert "secret" not in str(found)


CONFIG = """\
global
    stats socket /run/haproxy/admin.sock mode 660 level admin
userlist people
    user anna password geheim
frontend in
    bind :80
backend web   # the shop
    server a 127.0.0.1:8001
listen stats
backend bad name
"""


def test_haproxy_is_its_socket_and_its_backends_and_no_password(tmp_path):
    (tmp_path / "etc/haproxy").mkdir(parents=True)
    (tmp_path / "etc/haproxy/haproxy.cfg").write_text(CONFIG)
    found = of_server(heard("haproxy", 443, argv=("haproxy", "-Ws")), tmp_path)
    assert ids(found) == [
        "haproxy:haproxy",
        "haproxy:haproxy-web",
        "haproxy:haproxy-stats",
        "tls:haproxy-443-certificate",
    ]
    assert found[1].keys == {"socket": "/run/haproxy/admin.sock", "backend": "web"}
    assert "geheim" not in str(found)


def test_haproxy_is_asked_where_it_was_told_to_be_and_without_a_socket_it_is_a_web_server(tmp_path):
    (tmp_path / "own.cfg").write_text("global\n stats socket unix@/tmp/s level user\n")
    argv = ("haproxy", "-f", "/own.cfg")
    assert of_server(heard("haproxy", 80, argv=argv), tmp_path)[0].keys["socket"] == "/tmp/s"
    assert ids(of_server(heard("haproxy", 80), tmp_path)) == ["http:haproxy-80"]


@pytest.mark.parametrize(("address", "url"), [("0.0.0.0", "http://127.0.0.1:80/"), ("::", "http://[::1]:80/")])
def test_web_servers_are_asked_and_their_certificates_looked_at(tmp_path, address, url):
    (web,) = of_server(heard("caddy", 80, address=address), tmp_path)
    assert web.keys["url"] == url
    assert ids(of_server(heard("nginx", 443), tmp_path)) == ["tls:nginx-443-certificate", "tcp:nginx-443"]


def test_who_is_not_known_is_a_process_and_a_port_unless_a_unit_stands_for_it(tmp_path):
    assert of_server(heard("shopd", 9000), tmp_path) is None
    assert ids(plain(heard("shopd", 9000))) == ["process:shopd", "tcp:shopd-9000"]
    (port,) = plain(heard("shopd", 9000, unit="shop.service"))
    assert port.keys["requires"] == ["unit:shop.service"]
    assert ids(of_server(heard("sshd", 22), tmp_path)) == ["tcp:ssh-22"]


def test_databases_that_listen_at_no_port_are_found_by_their_sockets(tmp_path):
    made = []
    for path in ("var/run/postgresql/.s.PGSQL.5432", "var/run/redis/main.sock"):
        (tmp_path / path).parent.mkdir(parents=True)
        made.append(socket.socket(socket.AF_UNIX))
        made[-1].bind(str(tmp_path / path))
    (tmp_path / "var/run/postgresql/.s.PGSQL.5432.lock").touch()
    postgres, redis = at_rest([], tmp_path)
    assert (postgres.id, postgres.keys["host"], postgres.keys["port"]) == (
        "postgres:postgres-5432", "/var/run/postgresql", 5432,
    )  # fmt: skip
    assert (redis.id, dict(redis.keys)) == ("redis:redis-main", {"socket": "/var/run/redis/main.sock"})
    assert ids(at_rest(["redis:redis-6379"], tmp_path)) == ["postgres:postgres-5432"]
    for sock in made:
        sock.close()
