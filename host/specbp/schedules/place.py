"""Where tensors are: the memory of the processor, or that of a GPU."""

from __future__ import annotations

import torch

HOST = torch.device("cpu")
