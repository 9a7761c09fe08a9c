"""Networks: graphs of layers, what a user's model is lowered to, and the models of this package."""

from specbp.network.graph import (
    CHAIN_OPERATIONS,
    GELU,
    IMAGES,
    NORMS,
    TRAINED,
    Addition,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dropout,
    Flatten,
    GroupNorm,
    Layer,
    LeakyReLU,
    Linear,
    MaxPooling,
    Network,
    Operation,
    Pair,
    ReLU,
    Shape,
    SiLU,
    Weights,
    chain_fault,
    pooled_first,
    trained_tensors,
    weights_sha256,
)

__all__ = [
    "CHAIN_OPERATIONS", "GELU", "IMAGES", "NORMS", "TRAINED", "Addition", "AveragePooling",
    "BatchNorm", "Convolution", "Dropout", "Flatten", "GroupNorm", "Layer", "LeakyReLU", "Linear",
    "MaxPooling", "Network", "Operation", "Pair", "ReLU", "Shape", "SiLU", "Weights",
    "chain_fault", "pooled_first", "trained_tensors", "weights_sha256",
]  # fmt: skip
