import re

from healer.api.exposition import healings_text
from healer.api.healings import Ended, Healings


def test_healings_are_counted_by_what_came_of_them(tmp_path):
    healings = Healings(tmp_path)
    assert healings_text(healings) == ""
    healings.ended[Ended("down", "restart", "program:api", "verified")] = 3
    healings.ended[Ended("", "stop", 'unit:a"b\\c\n', "unverified")] = 1
    healings.cured["restart"] = (3, 4.5)
    lines = healings_text(healings).splitlines()
    assert 'healer_healings_total{action="restart",result="verified",rule="down",target="program:api"} 3' in lines
    assert 'healer_healings_total{action="stop",result="unverified",rule="",target="unit:a\\"b\\\\c\\n"} 1' in lines
    assert 'healer_healing_seconds_sum{action="restart"} 4.500000' in lines
    assert 'healer_healing_seconds_count{action="restart"} 3' in lines
    form = re.compile(r'(# (HELP|TYPE) .+|\w+\{(\w+="(\\.|[^"\\\n])*",?)+\} [\d.]+)')
    assert all(form.fullmatch(line) for line in lines)
