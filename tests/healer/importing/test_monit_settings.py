import pytest

from healer.importing.harvest import Fate, Harvest
from healer.importing.monit_settings import CYCLE, cycle_of, take, window
from healer.importing.monit_words import blocks, words
from healer.yamldoc.mark import Problems


def found(text):
    return blocks(words(text, "f", Problems()))


def test_a_cycle_is_as_long_as_the_daemon_sleeps():
    harvest = Harvest()
    assert cycle_of(found("set daemon 60 with start delay 240"), harvest) == 60
    assert [item.what for item in harvest.of(Fate.LEFT)] == ["start delay"]
    assert cycle_of(found("check system x"), harvest) == CYCLE
    assert [item.what for item in harvest.of(Fate.CHANGED)] == ["cycles"]
    assert cycle_of(found("set daemon 0"), Harvest()) == CYCLE


def test_passwords_are_taken_out_and_never_repeated():
    harvest = Harvest()
    for text in ('set mailserver h username "u" password "hunter22"', "set httpd port 2812 allow admin:monit99x"):
        take(found(text)[0], harvest)
    assert set(harvest.credentials.values()) == {"hunter22", "monit99x"}
    assert [item.what for item in harvest.of(Fate.LEFT)] == ["set mailserver", "set httpd"]


def test_alerts_go_to_the_journal_and_what_nobody_knows_is_told():
    harvest = Harvest()
    take(found("set alert a@b")[0], harvest)
    take(found("set gadget on")[0], harvest)
    assert [item.fate for item in harvest.items] == [Fate.CHANGED, Fate.LEFT]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* 8-19 * * 1-5", {"hours": "08:00-20:00", "days": "mon-fri"}),
        ("* 0-3 * * 0", {"hours": "00:00-04:00", "days": "sun"}),
        ("* * * * 6,7", {"days": "sat,sun"}),
        ("* 23 * * *", {"hours": "23:00-24:00"}),
        ("* * * * *", None),
        ("0 8 * * *", None),
        ("* 8-19 1 * *", None),
        ("* 8,12 * * *", None),
        ("* 19-8 * * *", None),
        ("* 8-99 * * *", None),
        ("* x * * *", None),
        ("* * * * mon", None),
        ("", None),
    ],
)
def test_cron_lines_of_whole_hours_are_windows(cron, expected):
    assert window(cron) == expected
