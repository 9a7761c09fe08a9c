import sys
from uuid import uuid4

import pytest
import torch

from specbp.errors import UsageError
from specbp.network.models import build


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
def fitting(channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, classes))
class Derived(nn.Sequential):
    def __init__(self): super().__init__(nn.Flatten(), nn.Linear(64, 10))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into the current folder; each has a name of its own."""
    monkeypatch.chdir(tmp_path)

    def write(content):
        name = f"own_{uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(content)
        return name

    return write


@pytest.mark.parametrize("attribute", ["ready", "make", "fitting", "Derived"])
def test_a_users_own_model_gets_its_weights_from_the_seed(module, attribute):
    name = f"{module(OWN)}:{attribute}"
    first, again, other = (build(name, 1, 10, seed) for seed in (0, 0, 1))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_a_function_that_takes_two_arguments_is_given_channels_and_classes(module):
    model = build(f"{module(OWN)}:fitting", 3, 7, 0)
    assert model[1].weight.shape == (7, 192)


def test_numbers_drawn_while_importing_are_the_same_in_every_process(module):
    """Kind: state from before the seed; torch's generator is seeded then, too."""
    content = (
        "import torch; from torch import nn; scale = float(torch.rand(1))\n"
        "def make(): return nn.Sequential(nn.Linear(1, 1))"
    )
    first, second = module(content), module(content)
    torch.rand(3)
    build(f"{first}:make", 1, 10, 0)
    torch.rand(5)
    build(f"{second}:make", 1, 10, 1)
    assert sys.modules[first].scale == sys.modules[second].scale


def test_a_module_leaves_pytorch_as_it_was(module):
    """Kind: switches of PyTorch that a user's module turns for the whole process."""
    content = (
        "import torch; from torch import nn\n"
        "torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
        "def make(): return nn.Sequential(nn.Linear(1, 1))"
    )
    build(f"{module(content)}:make", 1, 10, 0)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("content", "attribute", "message"),
    [
        ("", "missing", "has no attribute 'missing'"),
        ("number = 3", "number", "gives a int, not an nn.Module made of layers"),
        ("def none(): pass", "none", "gives a NoneType, not an nn.Module made of layers"),
        ("from torch import nn; wrong = nn.Linear(1, 1)", "wrong", "gives a Linear, not an nn."),
        ("from torch import nn; wrong = nn.ModuleList()", "wrong", "gives a ModuleList, not an"),
        ("from torch import nn\ndef wrong(): return nn.Linear(1, 1)", "wrong", "gives a Linear, "),
        ("def net(width): pass", "net", "takes (width): a function that builds a model takes not"),
        ("def net(a, b, c): pass", "net", "takes (a, b, c)"),
        ("def net(*, channels): pass", "net", "takes (*, channels)"),
        ("def net(channels, classes): return classes[0]", "net", "building it: TypeError: 'int'"),
        ("def net(): raise ValueError('one\\ntwo')", "net", "building it: ValueError: one"),
        ("def net(): raise SystemExit(3)", "net", "building it: SystemExit: 3"),
        ("def net(", "net", "SyntaxError: '(' was never closed"),
        ("raise SystemExit", "net", "SystemExit: "),
        ("raise RuntimeError('broken')", "net", "RuntimeError: broken"),
        ("import nowhere", "net", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def __getattr__(name): raise KeyError(name)", "net", "KeyError: 'net'"),
        ("\0", "net", "SyntaxError"),
    ],
)
def test_a_module_without_a_model_is_refused_in_one_line(module, content, attribute, message):
    """Kind: whatever a user's own module does instead of giving an nn.Sequential."""
    with pytest.raises(UsageError, match="model") as error:
        build(f"{module(content)}:{attribute}", 1, 10, 0)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet", 'did you mean "lenet5"'),
        ("nowhere:model", "No module named 'nowhere'"),
        (":model", "Empty module name"),
        (".here:model", "relative import"),
        ("specbp.network.models:", "has no attribute ''"),
        ("specbp.network.models:lenet5:x", "has no attribute 'lenet5:x'"),
    ],
)
def test_a_name_that_names_no_model_is_refused(name, message):
    with pytest.raises(UsageError, match="model") as error:
        build(name, 1, 10, 0)
    assert message in str(error.value)


def test_ctrl_c_still_stops(module):
    with pytest.raises(KeyboardInterrupt):
        build(f"{module('raise KeyboardInterrupt')}:net", 1, 10, 0)


def test_a_model_that_is_built_is_looked_at_before_it_is_copied(module):
    """Kind: models that cannot be copied; the layer that is to blame is named nevertheless."""
    content = (
        "from torch import nn; from torch.nn.utils import spectral_norm\n"
        "net = nn.Sequential(nn.Flatten(), spectral_norm(nn.Linear(64, 10)))"
    )
    with pytest.raises(UsageError, match=r"layer 1:Linear .* forward pre-hook"):
        build(f"{module(content)}:net", 1, 10, 0)
