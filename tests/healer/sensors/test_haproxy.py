"""HAProxy's figures as readings: what it does not say is unknown, and shares are of what came since the last look."""

import pytest

from healer.drivers import haproxy_answers as answers
from healer.drivers.haproxy import AbsentError
from healer.drivers.interface import DriverError
from healer.errors import SensorError
from healer.model.kinds.haproxy import KIND
from healer.model.target import Target
from healer.sensors.haproxy import HaproxySensor

INFO = "Name: HAProxy\nPid: {pid}\nUptime_sec: 5\nStart_time_sec: 9\nCurrConns: 3\nMaxconn: 10\nIdle_pct: 80\n"
COLUMNS = "pxname,svname,qcur,scur,slim,stot,econ,eresp,status,weight,chkdown,lastchg,downtime,check_status,"
COLUMNS += "check_duration,hrsp_2xx,hrsp_5xx,hrsp_other,rtime,check_desc,last_chk,iid,addr"
STATES = "1\n# be_id srv_id srv_name srv_op_state srv_admin_state srv_uweight srv_iweight\n"
USUAL = {"pxname": "web", "qcur": 0, "scur": 2, "slim": 20, "stot": 0, "econ": 0, "eresp": 0, "status": "UP",
         "weight": 100, "chkdown": 1, "lastchg": 60, "downtime": 4, "check_status": "L7OK", "check_duration": 7,
         "hrsp_2xx": 0, "hrsp_5xx": 0, "hrsp_other": 0, "rtime": 0, "check_desc": "passed", "last_chk": "",
         "iid": 3, "addr": "10.0.0.1:80"}  # fmt: skip


def backend(op=2, admin=0, pid=7, own=None, **changed):
    """A backend with one server, as HAProxy would tell of it."""
    names = COLUMNS.split(",")
    rows = ({**USUAL, "svname": "a", **changed}, {**USUAL, "svname": "BACKEND", **(own or {})})
    lines = [",".join(str(row[name]) for name in names) for row in rows]
    text = f"{INFO.format(pid=pid)}\n# {COLUMNS}\n" + "\n".join(lines) + f"\n\n{STATES}3 1 a {op} {admin} 100 100\n\n"
    return answers.read_backend("web", answers.whole(text.encode()))


class Says:
    """A driver that says what it is told to, one after the other."""

    def __init__(self, *said):
        self.said = list(said)

    async def backend(self, name):
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    process = None


class Itself(Says):
    async def process(self):
        return await self.backend("")


def sensor(*said, server="a", kind=Says):
    spec = {"socket": "/s", **({"backend": "web", "server": server} if kind is Says else {})}
    spec = {key: value for key, value in spec.items() if value}
    return HaproxySensor(Target(kind="haproxy", name="x", organ="lungs", spec=spec), kind(*said))


async def look(one, now=10.0):
    readings = await one.look(now)
    return {reading.metric.removeprefix("haproxy."): getattr(reading, "value", None) for reading in readings}


async def test_a_rate_and_a_share_are_of_what_came_since_the_last_look():
    one = sensor(
        backend(hrsp_2xx=1000, hrsp_5xx=900, stot=1900),
        backend(hrsp_2xx=1008, hrsp_5xx=902, stot=1910),
        backend(hrsp_2xx=1008, hrsp_5xx=902, stot=1910),
    )
    first = await look(one, 10.0)
    assert (first["requests_rate"], first["errors_rate"], first["errors"]) == (None, None, None)
    second = await look(one, 15.0)
    assert (second["requests_rate"], second["errors_rate"], second["errors"]) == (2.0, 0.4, 0.2)
    third = await look(one, 20.0)
    assert (third["requests_rate"], third["errors_rate"], third["errors"]) == (0, 0, None)


async def test_connections_that_are_refused_are_errors_among_what_came():
    one = sensor(backend(), backend(econ=5, stot=5))
    await look(one, 10.0)
    assert (await look(one, 15.0))["errors"] == 1.0


async def test_counters_of_another_process_begin_anew():
    one = sensor(backend(hrsp_2xx=10), backend(hrsp_2xx=500, pid=8), backend(hrsp_2xx=505, pid=8))
    await look(one, 10.0)
    assert (await look(one, 15.0))["requests_rate"] is None
    assert (await look(one, 20.0))["requests_rate"] == 1.0


async def test_what_haproxy_does_not_say_is_unknown_and_never_nought():
    empty = dict.fromkeys(("slim", "downtime", "check_duration", "rtime", "econ"), "")
    seen = await look(sensor(backend(**empty)))
    assert (seen["session_use"], seen["downtime"], seen["check_duration"], seen["latency"]) == (None, None, None, None)
    assert seen["sessions"] == 2


async def test_latency_is_in_seconds_and_only_of_replies_that_came():
    assert (await look(sensor(backend(rtime=250, hrsp_2xx=4))))["latency"] == 0.25
    assert (await look(sensor(backend(rtime=0))))["latency"] is None


@pytest.mark.parametrize("garbage", ["x", "1e9", "-5", "9" * 30, "٣"])
async def test_garbage_among_the_figures_is_unknown_and_counted(garbage):
    one = sensor(backend(scur=garbage))
    assert (await look(one))["sessions"] is None
    assert one.garbage > 0


async def test_a_status_nobody_knows_is_garbage_not_a_word_of_ours():
    one = sensor(backend(status="SIDEWAYS"))
    assert (await look(one))["status"] is None
    assert one.garbage == 1


async def test_a_server_in_maintenance_is_neither_up_nor_down():
    seen = await look(sensor(backend(op=0, admin=1, status="MAINT")))
    assert (seen["up"], seen["admin"], seen["status"]) == (None, "maint", "maint")


async def test_a_drained_server_whose_check_passes_is_up():
    seen = await look(sensor(backend(admin=8, status="DRAIN")))
    assert (seen["up"], seen["admin"]) == (1, "drain")


async def test_a_server_of_another_name_is_absent_with_every_metric_told_once():
    readings = await sensor(backend(), server="z").look(1.0)
    assert sorted(reading.metric for reading in readings) == sorted(metric.name for metric in KIND.metrics)


async def test_a_backend_nobody_knows_is_absent():
    assert (await look(sensor(AbsentError("No such proxy", fact=True))))["up"] == 0


async def test_of_a_haproxy_that_does_not_answer_a_server_says_nothing():
    for fact in (True, False):
        with pytest.raises(SensorError, match="hung"):
            await look(sensor(DriverError("hung", fact=fact)))


async def test_the_process_itself_is_down_when_it_does_not_answer_and_unknown_when_we_may_not_ask():
    seen = await look(sensor(DriverError("refused", fact=True), kind=Itself))
    assert (seen["up"], seen["message"]) == (0, "refused")
    with pytest.raises(SensorError, match="denied"):
        await look(sensor(DriverError("denied", fact=False), kind=Itself))
    seen = await look(sensor(backend().process, kind=Itself))
    assert (seen["up"], seen["idle"], seen["sessions"], seen["session_use"], seen["uptime"]) == (1, 0.8, 3, 0.3, 5)


async def test_a_backend_counts_the_servers_that_take_requests():
    seen = await look(sensor(backend(op=0, own={"status": "DOWN"}), server=""))
    assert (seen["up"], seen["servers"], seen["servers_up"]) == (0, 1, 0)
    assert seen["message"] == "none of its servers takes requests"
