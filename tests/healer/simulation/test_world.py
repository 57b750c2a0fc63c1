"""The toy world behaves like what it stands for."""

P0 = "program:p0"


def pass_time(house, seconds):
    house.clock.at += seconds
    house.world.settle()


def test_a_restart_is_another_incarnation_that_comes_up_after_its_startup(house):
    world, thing = house.world, house.world.things[P0]
    before = thing.generation
    world.restart(P0)
    assert not thing.up
    assert thing.generation not in {"", before}
    pass_time(house, thing.startup)
    assert thing.up


def test_what_is_dead_has_no_incarnation_and_is_told_at_once(house):
    heard = []
    house.world.heard = heard.append
    house.world.die(P0)
    house.world.die(P0)
    assert heard == [P0]
    assert house.world.things[P0].generation == ""


def test_a_pid_used_again_is_still_another_incarnation(house):
    world, thing = house.world, house.world.things[P0]
    for _ in range(40):  # by chance it is another pid as often as not
        before, pid = thing.generation, thing.pid
        world.churn(P0)
        if thing.pid == pid:
            break
    assert thing.pid == pid
    assert thing.generation != before


def test_a_crash_loop_ends_when_its_crashes_are_used_up(house):
    world, thing = house.world, house.world.things[P0]
    thing.crashes_left = 2
    for _ in range(2):
        world.start(P0) if not thing.up else world.restart(P0)
        pass_time(house, thing.startup)
        assert thing.up
        pass_time(house, 10)
        assert not thing.up
    world.start(P0)
    pass_time(house, 20)
    assert thing.up


def test_what_no_restart_cures_is_cured_when_the_world_is_healed(house):
    world, thing = house.world, house.world.things[P0]
    thing.incurable = True
    world.restart(P0)
    pass_time(house, 10)
    assert not thing.up
    world.heal()
    world.start(P0)
    pass_time(house, 10)
    assert thing.up


def test_a_cure_may_make_another_target_ill(house):
    house.world.things[P0].spoils = "program:p1"
    house.world.restart(P0)
    assert not house.world.things["program:p1"].up


def test_the_probe_sees_the_first_program(house):
    assert house.world.healthy("http:front")
    house.world.die(P0)
    assert not house.world.healthy("http:front")


def test_what_is_planned_happens_in_its_order_and_not_before(house):
    seen = []
    house.world.plan(5.0, lambda: seen.append("late"))
    house.world.plan(1.0, lambda: seen.append("soon"))
    pass_time(house, 0.5)
    assert (seen, house.world.due()) == ([], 1.0)
    pass_time(house, 10)
    assert (seen, house.world.due()) == (["soon", "late"], None)


def test_a_reboot_starts_everything_anew(house):
    before = {name: thing.generation for name, thing in house.world.things.items()}
    house.world.reboot()
    pass_time(house, 1)
    assert all(thing.up and thing.generation != before[name] for name, thing in house.world.things.items())
