"""Answers of HAProxy's stats socket: read by name, refused when they are cut off or somebody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import haproxy_answers as answers
from healer.drivers.haproxy_answers import Absent, Garbage

INFO = "Name: HAProxy\nVersion: 2.6.12\nPid: 77\nUptime_sec: 5\nStart_time_sec: 1795205157\nnode: vm\n"
STATES = "1\n# be_id be_name srv_id srv_name srv_op_state srv_admin_state srv_uweight srv_iweight\n"
STATS = "# pxname,svname,status,weight,check_status,iid,addr,\n"


def server(name, status="UP", op=2, admin=0, weight=100, check="L7OK"):
    return (
        f"web,{name},{status},{weight},{check},3,10.0.0.{ord(name[0])}:80,\n",
        f"3 web {ord(name[0])} {name} {op} {admin} {weight} 100\n",
    )


def answer(*servers, own="web,BACKEND,UP,100,,3,,\n", info=INFO):
    rows, states = ("".join(each) for each in zip(*servers, strict=True))
    return f"{info}\n{STATS}{rows}{own}\n{STATES}{states}\n".encode()


def read(octets):
    return answers.read_backend("web", answers.whole(octets))


def test_servers_are_read_by_the_names_of_their_columns():
    backend = read(answer(server("a"), server("b", "DOWN", op=0, check="L4CON")))
    a, b = backend.servers
    assert (a.name, a.status, a.running, a.admin, a.weight, a.available) == ("a", "up", True, "ready", 100, True)
    assert (b.status, b.running, b.available) == ("down", False, False)
    assert (backend.others("a"), backend.others("b")) == (0, 1)
    assert backend.generation == "77.1795205157.3"


@pytest.mark.parametrize(
    ("bits", "admin"),
    [
        (0, "ready"),
        (0x08, "drain"),
        (0x10, "drain"),
        (0x01, "maint"),
        (0x02, "maint"),
        (0x20, "maint"),
        (0x09, "maint"),
    ],
)
def test_what_was_ordered_is_in_its_bits(bits, admin):
    assert read(answer(server("a", admin=bits))).server("a").admin == admin


def test_a_server_that_is_down_and_drained_shows_both():
    one = read(answer(server("a", "DOWN", op=0, admin=8))).server("a")
    assert (one.status, one.admin, one.running) == ("down", "drain", False)


@pytest.mark.parametrize(
    ("text", "status"),
    [("UP 1/2", "up"), ("DOWN 1/2", "down"), ("MAINT (via web/a)", "maint"), ("MAINT (resolution)", "maint"),
     ("DRAIN", "drain"), ("NOLB", "nolb"), ("no check", "no check"), ("DOWN (agent)", "down")],
)  # fmt: skip
def test_a_status_is_told_without_its_trimmings(text, status):
    assert answers.status(text) == status


@pytest.mark.parametrize(
    ("made", "because"),
    [
        (server("a", "no check", check=""), "does not check"),
        (server("a", "MAINT", op=0, admin=1), "maintenance"),
        (server("a", "UP", check="INI"), "first check"),
        (server("a", "UP", check="* L7OK"), ""),
    ],
)
def test_nobody_can_tell_of_a_server_that_is_not_checked(made, because):
    assert because in read(answer(made)).server("a").unjudged
    assert bool(read(answer(made)).server("a").unjudged) == bool(because)


def test_another_process_is_another_generation_and_so_is_another_address():
    first = read(answer(server("a")))
    reloaded = read(answer(server("a"), info=INFO.replace("Pid: 77", "Pid: 78")))
    moved = answer(server("a")).replace(b"10.0.0.97", b"10.0.0.98")
    assert len({first.server("a").generation, reloaded.server("a").generation, read(moved).server("a").generation}) == 3
    assert first.generation != reloaded.generation


def test_a_server_that_asks_to_be_spared_runs_and_takes_nothing_new():
    one = read(answer(server("a", "NOLB", op=3))).server("a")
    assert (one.running, one.leaving, one.available, one.unjudged) == (True, True, False, "")


def test_a_server_nobody_knows_is_absent():
    with pytest.raises(Absent, match="no server z"):
        read(answer(server("a"))).server("z")


@pytest.mark.parametrize("text", ["No such proxy.", "No such server.", "Can't find backend."])
def test_a_backend_nobody_knows_is_absent(text):
    with pytest.raises(Absent):
        read(f"{INFO}\n{text}\n\n{text}\n\n".encode())


def test_an_answer_cut_anywhere_is_garbage_never_half_a_backend():
    octets = answer(server("a"), server("b"))
    for end in range(len(octets)):
        with pytest.raises(Garbage):
            read(octets[:end])


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        answer(server("a")).replace(b"1\n# be_id", b"2\n# be_id"),
        answer(server("a")).replace(b"srv_admin_state", b"other"),
        answer(server("a")).replace(b" 0 100 100\n", b" x 100 100\n"),
        answer(server("a"), own=""),
        answer(server("a"), server("b")).replace(b"3 web 98 b 2 0 100 100\n", b""),
        answer(server("a"), server("b")).replace(b"web,b,UP", b"web,c,UP"),
        answer(server("a")).replace(b"10.0.0.97:80,", b""),
        answer(server("a")).replace(b"Pid: 77", b"Pid: self"),
    ],
)
def test_what_is_none_of_haproxys_answers_is_garbage(octets):
    with pytest.raises(Garbage):
        read(octets)


@given(st.binary(max_size=300))
def test_no_octets_end_in_anything_but_a_backend_garbage_or_absence(octets):
    for made in (octets, INFO.encode() + b"\n" + octets, answer(server("a"))[:-40] + octets):
        try:
            read(made)
        except (Garbage, Absent):
            continue


def test_an_answer_in_octets_that_are_no_text_is_still_read():
    assert read(answer(server("a")).replace(b"L7OK", b"\xff\xfe")).server("a").running
