import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing.monit_tests import NoHome, understood
from healer.importing.monit_words import words
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.yamldoc.mark import Problems


def asked(kind, text, seconds=30.0):
    return understood(kind, "x", words(text, "f", Problems()), seconds)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr("healer.importing.monit_tests.os.cpu_count", lambda: 4)


@pytest.mark.parametrize(
    ("kind", "text", "when"),
    [
        ("process", "does not exist", "process.up{target} == 0"),
        ("process", "cpu usage is greater than 60%", "process.cpu{target} > 240%"),
        ("process", "total memory > 200.0 MB", "process.memory{target} > 200.0MiB"),
        ("process", "mem usage >= 80 %", "process.memory{target} >= 80% * memory.total"),
        ("process", "uptime > 3 days", "process.uptime{target} > 259200s"),
        ("process", "changed pid", "changes(process.generation{target}, 60s) > 0"),
        ("system", "loadavg (1min) > 8", "cpu.load_per_core > 2"),
        ("system", "loadavg(15min) per core > 2", "avg_over(cpu.load_per_core, 15m) > 2"),
        ("system", "cpu usage (wait) > 20%", "cpu.iowait > 20%"),
        ("system", "swap usage > 25%", "swap.used > 25%"),
        ("filesystem", "space usage > 80%", 'disk.used{mount="@"} > 80%'),
        ("filesystem", "space free < 1 GB", 'disk.free_bytes{mount="@"} < 1GiB'),
        ("filesystem", "inode usage > 90%", 'disk.inodes_used{mount="@"} > 90%'),
        ("file", "timestamp is older than 15 minutes", "file.age{target} > 900s"),
        ("file", "size > 100 MB", "file.size{target} > 100MiB"),
        ("file", "failed permission 0644", 'file.mode{target} != "0644"'),
        ("file", "failed gid wheel", 'not (file.owner{target} matches "*:wheel")'),
        ("file", "changed checksum", "changes(file.checksum{target}, 60s) > 0"),
        ("file", 'content = "out of memory"', "file.match{target} == 1"),
        ("directory", "not exist", "file.exists{target} == 0"),
        ("directory", "failed uid 0", 'not (file.owner{target} matches "root:*")'),
        ("program", "status != 0", "command.rc{target} != 0"),
        ("network", "upload > 500 kB/s", 'net.tx_rate{interface="@"} > 500KiB'),
    ],
)
def test_tests_become_conditions_that_load(kind, text, when):
    assert asked(kind, text).when == when
    assert expression.parse(when, vocabulary=METRICS)


@pytest.mark.parametrize(
    ("tail", "samples"),
    [
        ("for 3 cycles", {"bad": 3, "of": 3}),
        ("for 3 times within 5 cycles", {"bad": 3, "of": 5}),
        ("3 times within 5 cycles", {"bad": 3, "of": 5}),
        ("within 2 cycles", {"bad": 2, "of": 2}),
        ("for 1 cycle", None),
        ("", None),
    ],
)
def test_cycles_become_samples(tail, samples):
    assert asked("program", f"status != 0 {tail}").samples == samples


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("failed port 5432", {"kind": "tcp", "name": "x", "host": "@", "port": 5432}),
        ("failed host db port 22 type tcp protocol ssh with timeout 4 seconds",
         {"kind": "tcp", "name": "x", "host": "db", "port": 22, "timeout": "4s"}),
        ('failed port 8080 protocol http request "/h" with content = "ok" status 200',
         {"kind": "http", "name": "", "url": "http://@:8080/h", "expect": {"status": 200, "body": "ok"}}),
        ("failed port 443 protocol https", {"kind": "http", "name": "", "url": "https://@/"}),
        ('failed url "https://h/x"', {"kind": "http", "name": "", "url": "https://h/x"}),
    ],
)  # fmt: skip
def test_connections_become_targets(text, target):
    assert asked("host", text).target == target


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("process", "children > 250"),
        ("system", "cpu (user) > 70%"),
        ("host", "failed ping"),
        ("host", 'failed unixsocket "/x"'),
        ("host", "failed port 53 type udp protocol dns"),
        ("host", "failed port 80 protocol http with http headers [Host: x]"),
        ("file", 'content = "^a.*b$"'),
        ("file", "failed checksum expect the sum 8f7f419955cefa0b33a2ba316cba3659"),
        ("program", "status != 0 for 6 times within 5 cycles"),
        ("network", "failed link"),
        ("fifo", "size > 1 MB"),
        ("host", 'failed port 80 protocol http username "u" password "hunter22"'),
        ("nothing", ""),
    ],
)
def test_what_has_no_home_says_so(kind, text):
    with pytest.raises(NoHome):
        asked(kind, text)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["process", "file", "host", "system"]),
    st.text(alphabet='"failed port cpu > 80% for (1min) cycles\x00', max_size=60),
)
def test_no_text_breaks_it(kind, text):
    try:
        asked(kind, text)
    except NoHome:
        return
