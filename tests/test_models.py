import pytest
import torch

from specbp.errors import UsageError
from specbp.models import build


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, again, other = (build("lenet5", 1, 10, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


OWN = """
import torch.nn as nn
ready = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
def make(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
number = 3
def wrong(): return nn.Linear(1, 1)
"""


@pytest.mark.parametrize("attribute", ["ready", "make"])
def test_a_users_own_model_gets_its_weights_from_the_seed(tmp_path, monkeypatch, attribute):
    (tmp_path / f"own_{attribute}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    first, again, other = (build(f"own_{attribute}:{attribute}", 1, 10, s) for s in (0, 0, 1))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet", 'did you mean "lenet5"'),
        ("nowhere:model", "No module named 'nowhere'"),
        ("own_bad:number", "gives a int, not an nn.Sequential"),
        ("own_bad:wrong", "gives a Linear, not an nn.Sequential"),
        ("own_bad:missing", "has no attribute 'missing'"),
    ],
)
def test_a_model_that_is_none_is_refused(tmp_path, monkeypatch, name, message):
    (tmp_path / "own_bad.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="model") as error:
        build(name, 1, 10, 0)
    assert message in str(error.value)
