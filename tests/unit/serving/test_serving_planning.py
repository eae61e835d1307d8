"""What is started, routed and ended, for every combination of what is wanted and what answers."""

from __future__ import annotations

import itertools
import json

import pytest
import yaml

from mlflowctl.serving import planning
from mlflowctl.serving.following import View
from mlflowctl.serving.routes import Routes, Target, dynamic, service_of
from mlflowctl.serving.traffic import Traffic

PORTS = {5: 1005, 6: 1006, 7: 1007, 8: 1008}


def shared(share: float = 0.05, champion: int = 6, challenger: int = 7, **more: object) -> Traffic:
    return Traffic(12, share, champion=champion, challenger=challenger, **more)  # type: ignore[arg-type]


def routed(view: View, ready: set[int], now: Routes | None = None, only: str = "") -> Routes:
    return planning.route(
        view, now or Routes(), lambda version: PORTS[version] if version in ready else None, only
    )


def test_the_champion_alone_gets_everything():
    assert routed(View(6), {6}) == Routes(0, Target(6, 1006))


def test_a_share_holds_for_the_versions_that_it_was_decided_for():
    found = routed(View(6, 7, shared()), {6, 7})
    assert (found.share, found.step, found.challenger) == (0.05, 12, Target(7, 1007))


@pytest.mark.parametrize("view", [View(6, 8, shared()), View(5, 7, shared()), View(6, 7)])
def test_a_share_for_other_versions_is_none(view):
    found = routed(view, {5, 6, 7, 8})
    assert (found.share, found.step) == (0.0, 0)
    assert found.challenger is not None  # testers reach it all the same


def test_a_challenger_that_does_not_answer_gets_nothing():
    found = routed(View(6, 7, shared()), {6})
    assert (found.challenger, found.share) == (None, 0.0)


def test_what_serves_keeps_serving_until_the_new_champion_answers():
    now = routed(View(6, 7, shared()), {6, 7})
    waiting = routed(View(8, None), {6}, now)
    assert waiting.champion == Target(6, 1006)
    assert routed(View(8, None), {6, 8}, waiting).champion == Target(8, 1008)


def test_while_the_old_champion_still_answers_the_new_challenger_gets_nothing():
    now = routed(View(6), {6})
    found = routed(View(5, 7, shared(champion=5)), {6, 7}, now)
    assert (found.champion, found.share) == (Target(6, 1006), 0.0)


def test_a_promotion_moves_the_servers_that_are_there():
    now = routed(View(6, 7, shared()), {6, 7})
    after = routed(View(7), {6, 7}, now)
    assert after == Routes(0, Target(7, 1007))
    assert planning.needless([6, 7], View(7), after) == [6]


def test_a_retired_model_ends_to_serve():
    now = routed(View(6), {6})
    assert routed(View(None), {6}, now) == Routes()
    assert planning.needless([6], View(None), Routes()) == [6]


def test_the_challengers_part_answers_with_the_champion_until_a_share_is_decided():
    """So a weight that was left at the load balancer is never a weight on an untried version."""
    assert planning.wanted(View(6, 7), "challenger") == [6, 7]
    undecided = routed(View(6, 7), {6, 7}, only="challenger")
    assert undecided.share == 0
    decided = routed(View(6, 7, shared()), {6, 7}, only="challenger")
    assert (decided.share, decided.step) == (1.0, 12)
    promoted = routed(View(7), {6, 7}, decided, only="challenger")
    assert promoted.champion == Target(7, 1007)


def test_the_champions_part_knows_no_challenger():
    assert planning.wanted(View(6, 7), "champion") == [6]
    assert routed(View(6, 7, shared()), {6, 7}, only="champion").challenger is None


def test_every_target_answers_and_no_version_is_both():
    versions = (None, 5, 6, 7)
    for champion, challenger, now, only in itertools.product(
        versions, versions, versions, ("", "champion", "challenger")
    ):
        for size in range(4):
            for ready in itertools.combinations((5, 6, 7), size):
                before = Routes(0, Target(now, PORTS[now])) if now else Routes()
                traffic = shared(0.25, champion or 0, challenger or 0)
                found = routed(View(champion, challenger, traffic), set(ready), before, only)
                targets = [one.version for one in (found.champion, found.challenger) if one]
                assert set(targets) <= set(ready)
                assert len(set(targets)) == len(targets)
                assert not found.share or (found.champion and found.challenger)
                assert not found.share or (found.champion and found.champion.version == champion)


@pytest.mark.parametrize(
    "routes",
    [
        Routes(),
        Routes(3, Target(6, 1006)),
        Routes(3, Target(6, 1006), Target(7, 1007), 0.05, sticky=True),
        Routes(3, Target(6, 1006), Target(7, 1007), 0.05, "shadow"),
    ],
)
def test_routes_survive_the_disk(routes):
    assert Routes.loads(routes.dumps()) == routes


@pytest.mark.parametrize("text", ["", "[]", "{}x", '{"champion": {"versio": 1}}', "null"])
def test_damaged_routes_are_told_from_routes(text):
    with pytest.raises(ValueError):
        Routes.loads(text)


def configuration(routes: Routes) -> dict:
    return yaml.safe_load(json.dumps(dynamic(routes)))["http"]


def test_weights_are_hundredths_of_a_percent():
    found = configuration(Routes(3, Target(6, 1006), Target(7, 1007), 0.0525))
    assert found["services"]["all"]["weighted"]["services"] == [
        {"name": "s3-champion-v6", "weight": 9475},
        {"name": "s3-challenger-v7", "weight": 525},
    ]


def test_a_cookie_is_set_only_where_it_is_asked_for():
    assert (
        "sticky"
        not in configuration(Routes(3, Target(6, 1), Target(7, 2), 0.1))["services"]["all"]["weighted"]
    )
    asked = configuration(Routes(3, Target(6, 1), Target(7, 2), 0.1, sticky=True))
    assert asked["services"]["all"]["weighted"]["sticky"]["cookie"]["name"] == "mlflowctl_variant"


def test_a_shadow_gets_copies_and_the_champion_every_request():
    found = configuration(Routes(3, Target(6, 1), Target(7, 2), 0.1, "shadow"))
    assert found["services"]["all"]["mirroring"] == {
        "service": "s3-champion-v6", "mirrors": [{"name": "s3-challenger-v7", "percent": 10}],
    }  # fmt: skip


def test_every_service_that_a_router_names_exists():
    for champion, challenger, port in itertools.product((None, Target(6, 1)), (None, Target(7, 2)), (0, 9)):
        routes = Routes(3, champion, challenger, 0.1 if champion and challenger else 0.0, fallback=port)
        if champion is None and not port:
            assert dynamic(routes) == {}
            continue
        found = configuration(routes)
        named = {router["service"] for router in found["routers"].values()}
        named |= {one["name"] for one in found["services"]["all"]["weighted"]["services"]}
        middlewares = found["middlewares"].values()
        named |= {one["errors"]["service"] for one in middlewares if "errors" in one}
        assert named <= set(found["services"])
        used = [
            one.get("middlewares", []) for kind in ("routers", "services") for one in found[kind].values()
        ]
        assert {name for names in used for name in names} <= set(found["middlewares"])


def test_without_a_champion_a_challenger_is_for_testers_alone():
    found = configuration(Routes(3, None, Target(7, 2), fallback=9))
    assert found["services"]["all"]["weighted"]["services"] == [{"name": "nobody", "weight": 1}]
    assert found["routers"]["forced-challenger"]["service"] == "s3-challenger-v7"


def test_a_services_name_tells_step_variant_and_version():
    assert service_of("s12-challenger-v7@file") == (12, "challenger", 7)
    assert service_of("all@file") is None
