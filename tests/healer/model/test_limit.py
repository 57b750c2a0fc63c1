from healer.model.limit import Backoff, Brakes, Limit


def test_what_nobody_configures_is_bounded():
    brakes = Brakes()
    assert (brakes.actions_per_hour, brakes.concurrent, brakes.group_unavailable) == (60, 4, 1)
    assert (brakes.mass_failure_count, brakes.mass_failure_ratio, brakes.mass_failure_window) == (3, 0.5, 60.0)
    assert brakes.breaker_backoff_after < brakes.breaker_opens_after


def test_a_limit_counts_an_action_on_a_target_across_rules_unless_it_says_otherwise():
    assert Limit(max=1, per=1.0).scope == "action+target"


def test_backoff_grows_and_is_bounded():
    backoff = Backoff()
    assert backoff.factor > 1
    assert backoff.initial < backoff.max < backoff.reset_after
