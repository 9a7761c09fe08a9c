"""Sharing weight gradients and updates out to two cores: everything once, and nobody late."""

import pytest

from specbp.network.models import build
from specbp.overlay.compiler.maps import NetworkMaps, Pick
from specbp.overlay.compiler.sharing import shared_out, work_of_passes
from specbp.overlay.parameters import Parameters
from tests.overlay.networks import SmallRecipe

SAMPLES = 8


@pytest.fixture(scope="module", params=[("digits-cnn", (1, 8, 8)), ("lenet5", (1, 28, 28))])
def maps(request):
    model, shape = request.param
    recipe = SmallRecipe(build(model, shape[0], 10, seed=0), shape, 10, SAMPLES)
    return NetworkMaps(recipe.network, recipe.scales(), SAMPLES)


@pytest.mark.parametrize("lanes", [16, 32])
def test_every_weight_has_one_gradient_and_one_update(maps, lanes):
    shares = shared_out(Parameters(lanes=lanes), maps, Pick(0, SAMPLES))
    for stage in maps.weighted:
        trained = maps.trained[stage.layer.name]
        mine = [one for core in shares for one in core if one.stage == stage]
        words = -(-trained.inputs // 4)
        covered = sorted(
            (tap, word)
            for one in mine
            if one.part
            for tap in range(*one.part.taps)
            for word in range(*one.part.words)
        )
        assert covered == [(tap, word) for tap in range(trained.kernel[0]) for word in range(words)]
        updated = sorted(four for one in mine if one.fours for four in range(*one.fours))
        assert updated == list(range(trained.weight_words))
        assert sum(one.part.bias for one in mine if one.part) == 1
        assert sum(one.bias for one in mine) == 1


@pytest.mark.parametrize("lanes", [16, 32])
@pytest.mark.parametrize("head_start", [0, 20_000])
def test_both_cores_have_about_half_of_the_work(maps, lanes, head_start):
    parameters, batch = Parameters(lanes=lanes), Pick(0, SAMPLES)

    def work(share):
        def emit(passes):
            if share.part:
                passes.weight_gradient(share.stage, batch, share.part)
            if share.fours:
                passes.update(share.stage, share.fours, share.bias)

        return work_of_passes(parameters, maps, emit)

    first, second = (
        sum(map(work, core)) for core in shared_out(parameters, maps, batch, head_start)
    )
    assert abs(first - second - head_start) < 0.12 * (first + second)
