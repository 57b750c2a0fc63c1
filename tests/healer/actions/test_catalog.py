"""The catalogue holds every declared verb, and actions say of themselves what was declared."""

from healer.actions import catalog
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.model.verbs import VERBS


def build(programs, tmp_path, **more):
    services = catalog.Services(
        programs=programs,
        clock=SystemClock(),
        state_dir=tmp_path,
        node="host1",
        http=lambda: None,
        set_mode=lambda *_: None,
        publish=lambda *_: None,
        **more,
    )
    return catalog.build(services)


async def test_every_verb_has_its_hand_and_they_agree(programs, tmp_path):
    actions = build(programs, tmp_path, drivers=Drivers(SystemClock()))
    assert actions.keys() == VERBS.keys()
    for name, action in actions.items():
        declared = VERBS[name]
        assert (action.verb, action.kinds, action.disruptive, action.undo) == (
            name,
            declared.kinds,
            declared.disruptive,
            declared.undo,
        )
        assert action.touches


async def test_containers_are_owned_only_where_there_is_an_engine(programs, tmp_path, order):
    assert "container" not in build(programs, tmp_path)["restart"]._owners
    assert "container" in build(programs, tmp_path, docker=lambda: None)["restart"]._owners
