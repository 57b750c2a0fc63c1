import json
import socket
import threading

import pytest

from healer.cli.client import Client, NoError, NotReachableError, find, segment
from healer.cli.settings import Settings
from healer.errors import ConfigError, HealerError


@pytest.fixture
def client(agent, tmp_path):
    return Client(Settings(state_dir=str(tmp_path)))


@pytest.fixture
def liar(tmp_path):
    """Something that listens there and answers what it is told."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "healer.sock"))
    sock.listen()
    answers: list[bytes] = []

    def serve() -> None:
        while answers:
            taken, _ = sock.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(answers.pop(0))

    def lie(*given: bytes) -> Client:
        answers.extend(given)
        threading.Thread(target=serve, daemon=True).start()
        return Client(Settings(state_dir=str(tmp_path)), timeout=2.0)

    yield lie
    sock.close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def test_an_answer_is_the_object_the_agent_sent(client):
    assert client.get("/status")["version"] == "0.0-test"


def test_a_refusal_is_a_no_with_its_reason(client):
    with pytest.raises(NoError, match="refused: agent is not paused") as found:
        client.request("resume")
    assert found.value.exit_code == 1


def test_a_request_nobody_answers_in_time_is_a_no(client, agent):
    agent.silent = True
    with pytest.raises(NoError, match="no answer to request"):
        client.request("pause", wait=0.1)


def test_mistakes_of_a_configuration_arrive_as_such(client):
    with pytest.raises(ConfigError) as found:
        client.post("/reload")
    assert len(found.value.problems) == 2


def test_a_problem_is_an_error_with_its_hint(client):
    with pytest.raises(HealerError, match="no rule 'x'") as found:
        client.get("/rules/x/explain")
    assert found.value.hint == "healer rules list"


@pytest.mark.parametrize(
    "octets",
    [http(b"<html>"), http(b"[1]"), http(b"\xff"), b"garbage\r\n\r\n", b"", http(json.dumps([]).encode(), "500 X")],
    ids=["html", "list", "octets", "no-http", "silence", "error"],
)
def test_what_is_no_agent_is_told_as_such(liar, octets):
    with pytest.raises(NotReachableError):
        liar(octets).get("/status")


def test_a_socket_that_nobody_serves_is_told_with_its_path(tmp_path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "healer.sock"))
    sock.close()
    with pytest.raises(NotReachableError, match=r"healer\.sock does not answer"):
        Client(Settings(state_dir=str(tmp_path))).get("/status")


def test_an_agent_that_hangs_is_not_one_to_be_started(tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "healer.sock"))
        sock.listen()
        with pytest.raises(NotReachableError) as found:
            Client(Settings(state_dir=str(tmp_path)), timeout=0.2).get("/status")
    assert "hangs" in found.value.hint
    assert "start it" not in found.value.hint


def test_a_file_in_the_sockets_place_is_no_socket(tmp_path):
    (tmp_path / "healer.sock").touch()
    with pytest.raises(NotReachableError, match="no socket at"):
        find(Settings(state_dir=str(tmp_path)))


def test_a_socket_we_may_not_reach_says_who_may(tmp_path, monkeypatch):
    def refused(*_args, **_kwargs):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.stat", refused)
    with pytest.raises(NotReachableError, match="not allowed"):
        find(Settings(state_dir=str(tmp_path)))


def test_names_are_one_segment_of_a_path():
    assert segment("program:a/../b?c") == "program:a%2F..%2Fb%3Fc"
