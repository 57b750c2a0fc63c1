import healer.app


def test_the_room_shows_its_owner_and_nothing_else():
    assert healer.app.__all__ == ["Agent"]
    assert healer.app.Agent.__module__ == "healer.app.agent"
