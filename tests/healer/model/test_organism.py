from healer.model.organism import ORGANS, Health, Vital


def test_there_are_seven_organs():
    assert ORGANS == ("brain", "heart", "lungs", "stomach", "muscles", "immune", "nervous")


def test_unknown_is_a_health_of_its_own():
    assert {health.value for health in Health} == {"healthy", "degraded", "failed", "unknown"}


def test_a_vital_is_named_as_rules_write_it():
    assert Vital(organ="heart", name="load", value="organ.load", healthy=0.7, critical=1.0).id == "heart.load"
