import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.cli.proposing.proposal import Proposal, clean, organ_of
from healer.config.words import NAMED
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import from_python


@pytest.mark.parametrize(
    ("name", "organ"),
    [
        ("postgres", "stomach"), ("redis-server", "stomach"), ("rabbitmq-server.service", "stomach"),
        ("nginx", "lungs"), ("haproxy.service", "lungs"), ("python3", "heart"), ("ssh.service", "immune"),
        ("prometheus-node-exporter.service", "nervous"), ("cron.service", "muscles"), ("shop-worker", "muscles"),
    ],
)  # fmt: skip
def test_things_are_put_into_the_organ_they_serve(name, organ):
    assert organ_of(name) == organ


@given(st.text(max_size=300))
def test_whatever_a_name_was_it_may_stand_in_the_configuration(name):
    problems = Problems()
    assert NAMED.read(from_python(clean(name), "x"), problems) == clean(name)
    assert not problems


def test_a_proposal_is_known_by_kind_and_name():
    assert Proposal(kind="unit", name="x.service", organ="heart", because="y").id == "unit:x.service"
