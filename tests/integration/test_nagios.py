"""The plugins that hosts have, run as they come."""

import http.server
import threading
from pathlib import Path

import pytest

from healer.clock import SystemClock
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.nagios import NagiosSensor

PLUGINS = Path("/usr/lib/nagios/plugins")
pytestmark = pytest.mark.real


@pytest.fixture(scope="module", autouse=True)
def _plugins(real):
    if not (PLUGINS / "check_disk").exists():
        real("check_disk of monitoring-plugins-basic")


@pytest.fixture(scope="module")
def port():
    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"fine")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield str(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


async def look(name, *words):
    target = Target(
        kind="nagios", name=name, organ="heart", spec={"argv": [str(PLUGINS / name), *words], "timeout": 10.0}
    )
    return {
        one.metric + "".join(f":{value}" for label, value in one.labels if label == "name"): one.because
        if isinstance(one, Unknown)
        else one.value
        for one in await NagiosSensor(target, SystemClock()).look(1.0)
    }


async def test_disk_figures_are_bytes():
    found = await look("check_disk", "-w", "1", "-c", "1", "-p", "/")
    assert found["nagios.state"] == "ok"
    assert found["nagios.perf:/"] > 1e6


async def test_load_figures_are_numbers():
    found = await look("check_load", "-w", "1000,1000,1000", "-c", "2000,2000,2000")
    assert found["nagios.ok"] == 1
    assert found["nagios.perf:load1"] >= 0


async def test_processes_are_counted():
    found = await look("check_procs", "-w", "1:100000", "-c", "1:100000")
    assert found["nagios.perf:procs"] > 1


async def test_an_answer_over_http_is_seconds_and_bytes(port):
    found = await look("check_http", "-H", "127.0.0.1", "-p", port)
    assert found["nagios.state"] == "ok"
    assert 0 < found["nagios.perf:time"] < 10
    assert found["nagios.perf:size"] > 4


async def test_a_refused_port_is_critical(port):
    found = await look("check_tcp", "-H", "127.0.0.1", "-p", "1")
    assert (found["nagios.state"], found["nagios.ok"]) == ("critical", 0)
    assert (await look("check_tcp", "-H", "127.0.0.1", "-p", port))["nagios.ok"] == 1


@pytest.mark.parametrize(("state", "word"), [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown")])
async def test_a_dummy_says_what_it_is_told(state, word):
    found = await look("check_dummy", str(state), "as told")
    assert found["nagios.state"] == word
    assert "as told" in found["nagios.message"]


async def test_users_and_the_age_of_files_are_told(tmp_path):
    assert (await look("check_users", "-w", "100", "-c", "200"))["nagios.perf:users"] >= 0
    (tmp_path / "file").write_text("new")
    found = await look("check_file_age", "-w", "60", "-c", "120", "-f", str(tmp_path / "file"))
    assert found["nagios.state"] == "ok"
    assert found["nagios.perf:size"] == 3


async def test_wrong_use_of_a_plugin_is_unknown_and_no_fact():
    found = await look("check_disk", "--no-such-option")
    assert found["nagios.state"] == "unknown"
    assert isinstance(found["nagios.ok"], str)
