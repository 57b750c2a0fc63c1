"""Recordings as comma-separated values."""

import pytest
from hypothesis import given
from hypothesis import settings as tuned
from hypothesis import strategies as st

from healer.errors import HealerError
from healer.model.observation import Series, labels
from healer.replay.table import Table


def table(tmp_path, text, *, octets=None):
    path = tmp_path / "m.csv"
    path.write_bytes(text.encode() if octets is None else octets)
    return Table(path)


def tracks(made):
    return [(one.series, list(one.times), list(one.values)) for stretch in made.stretches() for one in stretch]


def test_columns_are_series_as_rules_write_them_and_empty_cells_are_no_sample(tmp_path):
    made = table(tmp_path, 'time,cpu.used,"disk.used{mount=""/""}"\n1790000000,0.5,\n2026-09-21T14:13:30Z,,0.9\n')
    assert tracks(made) == [
        (Series("cpu.used", ()), [1790000000.0], [0.5]),
        (Series("disk.used", labels(mount="/")), [1790000010.0], [0.9]),
    ]
    assert (made.extent.start, made.extent.end) == (1790000000.0, 1790000010.0)


def test_words_and_flags_are_read_as_what_they_are(tmp_path):
    header = 'time,"program.state{target=""program:a""}","program.up{target=""program:a""}"'
    found = {one[0].metric: one[2] for one in tracks(table(tmp_path, f"{header}\n1790000000,running,true\n"))}
    assert found == {"program.state": ["running"], "program.up": [1.0]}


def test_long_tables_come_in_stretches(tmp_path, monkeypatch):
    monkeypatch.setattr("healer.replay.table.ROWS", 3)
    rows = "".join(f"{1790000000 + number},0.{number}\n" for number in range(1, 8))
    stretches = list(table(tmp_path, f"time,cpu.used\n{rows}").stretches())
    assert [len(stretch[0].times) for stretch in stretches] == [3, 3, 1]


def test_a_column_that_stands_for_nothing_is_left_out_and_named(tmp_path):
    made = table(tmp_path, "time,cpu.used,max(cpu.used),a b,cpu.usd\n1790000000,0.1,1,2,3\n")
    assert [str(one) for one in made.extent.series] == ["cpu.used"]
    assert set(made.extent.ignored) == {"max(cpu.used)", "a b", "cpu.usd"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: no header"),
        ("cpu.used,time\n", ":1: no header"),
        ("time,cpu.used\n", "has no rows"),
        ("time,cpu.used,cpu.used\n1790000000,1,1\n", ":1: two columns are cpu.used"),
        ("time,cpu.used\n1790000000\n", ":2: 1 cells where the header has 2"),
        ("time,cpu.used\nsoon,0.5\n", ":2: 'soon' is no time"),
        ("time,cpu.used\n-5,0.5\n", ":2: '-5' is no time"),
        ("time,cpu.used\nnan,0.5\n", ":2: 'nan' is no time"),
        ("time,cpu.used\n1790000001,0.5\n1790000000,0.5\n", ":3: its time is not after"),
    ],
)
def test_what_is_no_table_is_told_with_its_line(tmp_path, text, says):
    with pytest.raises(HealerError, match=r".") as told:
        table(tmp_path, text)
    assert says in told.value.message


def test_a_cell_that_is_no_number_is_told_with_its_line_and_series(tmp_path):
    with pytest.raises(HealerError, match=r"cpu\.used: 'high' is no number") as told:
        tracks(table(tmp_path, "time,cpu.used\n1790000000,0.5\n1790000001,high\n"))
    assert ":3:" in told.value.message


@tuned(max_examples=60, deadline=None)
@given(octets=st.binary(max_size=120))
def test_garbage_is_refused_in_one_sentence(tmp_path_factory, octets):
    path = tmp_path_factory.mktemp("g")
    with pytest.raises(HealerError):
        list(table(path, "", octets=octets).stretches())


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(HealerError, match="cannot be read"):
        Table(tmp_path / "none.csv")
