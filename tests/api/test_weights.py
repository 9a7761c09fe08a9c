"""Weights that leave a training, and weights that one starts from."""

import json

import pytest
import torch
from safetensors.torch import save_file

import specbp
from specbp.api.exporting import export
from specbp.datasets.loading import load
from specbp.matrix.expand import Cell
from specbp.network.models import build
from specbp.weights import load_into, read_weights
from tests.cli.inside import specbp as command

SMALL = {"train": 40, "test": 20, "batch_size": 10, "epochs": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Results with the weights of a float32 and of an int16 training."""
    folder = tmp_path_factory.mktemp("trained")
    axes = {"arithmetic": ["float32", "int16"]}
    matrix = {"name": "weights", "base": SMALL, "axes": axes}
    return specbp.bench(matrix, results=folder / "results", save_weights=True)


def accuracy(model, dataset):
    with torch.no_grad():
        found = model(dataset.normalised(dataset.test_images)).argmax(1)
    return float((found == dataset.test_labels).float().mean())


def test_the_users_model_takes_the_weights_and_is_as_good(trained):
    """An example: train, take the weights out, use them in PyTorch without specbp."""
    float32 = trained.runs.iloc[0]
    model = build("digits-cnn", 1, 10, seed=5)
    model.load_state_dict(trained.state_dict(float32["cell"]))
    data = load("digits", train=40, test=20)
    assert accuracy(model, data) == pytest.approx(float32["test_accuracy"])


def test_int16_weights_are_integers_with_their_scales(trained):
    cell = trained.runs.iloc[1]["cell"]
    saved = read_weights(trained.path / "cells" / cell / "weights.safetensors")
    assert {tensor.dtype for tensor in saved.tensors.values()} == {torch.int32}
    assert saved.fraction_bits.keys() == saved.tensors.keys()
    (name, bits) = next(iter(saved.fraction_bits.items()))
    assert torch.equal(saved.state_dict[name], saved.tensors[name].float() * 2.0**-bits)
    assert saved.about["cell"] == cell


def test_weights_go_out_and_in_again(trained, tmp_path):
    """What a training starts from is part of its key, wherever the file lies."""
    cell = trained.runs.iloc[0]["cell"]
    file = trained.path / "cells" / cell / "weights.safetensors"
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    fresh, one, same = (
        Cell("", 0, specbp.Experiment(**SMALL, initial_weights=path))
        for path in (None, str(file), str(copy))
    )
    assert fresh.hash != one.hash == same.hash
    assert fresh.workload != one.workload
    model = build("digits-cnn", 1, 10, seed=0)
    load_into(model, file)
    final = trained.runs.iloc[0]["final_weights_sha256"]
    assert one.identity.initial_weights_sha256 != fresh.identity.initial_weights_sha256
    begun = specbp.run(SMALL, initial_weights=str(file), results=tmp_path / "results").runs
    assert begun["initial_weights_sha256"].tolist() == [one.identity.initial_weights_sha256]
    assert begun["final_weights_sha256"].tolist() != [final]


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"0.weight": torch.zeros(1)}, "it is of another network: 0.bias is not in the file"),
        ({"extra": torch.zeros(1)}, "it is of another network: extra is not in the model"),
        ({"0.weight": torch.full((16, 1, 3, 3), torch.nan)}, "0.weight has values that are no num"),
        ({"0.weight": torch.zeros(16, 1, 5, 5)}, r"0.weight is \[16, 1, 5, 5\], the model has"),
        (None, "it is no file of weights"),
    ],
)
def test_a_file_of_other_weights_is_refused(tmp_path, tensors, reason):
    path = tmp_path / "given.safetensors"
    if tensors is None:
        path.write_bytes(b"hello, this is no such file")
    elif tensors.keys() == {"0.weight"} and len(tensors["0.weight"].shape) == 1:
        save_file(tensors, path)
    else:
        save_file({**build("digits-cnn", 1, 10, seed=0).state_dict(), **tensors}, path)
    with pytest.raises(specbp.SpecbpError, match=reason):
        specbp.run(SMALL, initial_weights=str(path), results=tmp_path / "results")
    with pytest.raises(specbp.SpecbpError, match="nowhere: it cannot be read"):
        specbp.run(SMALL, initial_weights=str(tmp_path / "nowhere"), results=tmp_path / "results")


def test_export_writes_a_state_dict_and_names_what_there_is(trained, tmp_path):
    output = tmp_path / "weights.pt"
    cell = trained.runs.iloc[0]["cell"]
    code, said, _ = command("export", str(trained.path), "--cell", cell, "--output", str(output))
    assert (code, said.strip()) == (0, str(output))
    state = torch.load(output, weights_only=True)
    build("digits-cnn", 1, 10, seed=1).load_state_dict(state)
    code, _, error = command("export", str(trained.path))
    assert code == 2 and "2 cells of that name: choose with --cell one of" in error
    code, _, error = command("export", str(trained.path), "--to", "tflite")
    assert code == 2 and "choose one of state-dict, onnx" in error


def test_onnx_computes_what_the_model_computes(trained, tmp_path):
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    cell = trained.runs.iloc[0]["cell"]
    path = export(trained.path, "onnx", tmp_path / "model.onnx", cell)
    images = torch.randn(3, 1, 8, 8)
    (logits,) = ReferenceEvaluator(str(path)).run(None, {"images": images.numpy()})
    model = build("digits-cnn", 1, 10, seed=0)
    model.load_state_dict(trained.state_dict(cell))
    assert torch.allclose(torch.from_numpy(logits), model(images), atol=1e-5)


def test_a_cell_without_weights_is_trained_again_to_keep_them(tmp_path):
    words = ["--train", "40", "--test", "20", "--batch-size", "10", "--epochs", "1"]
    run = ["run", *words, "--results", str(tmp_path)]
    command(*run)
    assert command("export", str(tmp_path))[0] == 4
    _, output, said = command(*run, "--save-weights", "--json")
    assert "1 cells are trained again: their weights were not kept" in said
    assert command("export", str(tmp_path))[0] == 0
    _, again, said = command(*run, "--save-weights", "--json")
    assert "trained again" not in said and json.loads(again) == json.loads(output)
