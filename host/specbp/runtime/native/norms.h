// Batch norm and group norm, as `specbp.arithmetic.float32` computes them. Part of operations.h.

struct Normalised {
  Tensor value, mean, deviation;
};

inline std::string approximation(const Node& node) { return node.number != 0 ? "tanh" : "none"; }

inline int64_t area(const Tensor& images) { return images.size(2) * images.size(3); }

// Running statistics, where they stand behind weight and bias, are brought up to date.
inline Normalised normalised(const Node& node, const Weights& weights, const Tensor& x) {
  using torch::stable::detail::from;
  using torch::stable::detail::to;
  const auto maybe = [&](size_t i) {
    return i < weights.size() ? std::optional<Tensor>(weights[i]) : std::nullopt;
  };
  std::array<StableIValue, 8> stack;
  if (node.kind == Kind::kBatchNorm) {
    stack = {from(x), from(maybe(0)), from(maybe(1)), from(maybe(2)), from(maybe(3)),
             from(true), from(node.second), from(node.number)};
    call("aten::native_batch_norm", stack);
  } else {
    stack = {from(x), from(maybe(0)), from(maybe(1)), from(x.size(0)), from(x.size(1)),
             from(area(x)), from(node.groups), from(node.number)};
    call("aten::native_group_norm", stack);
  }
  return {to<Tensor>(stack[0]), to<Tensor>(stack[1]), to<Tensor>(stack[2])};
}

// Mean and deviation as one mask: [2, channels] of a batch, [batch, 2, groups] of samples.
inline Tensor stacked(const Node& node, const Normalised& found) {
  const bool by_batch = node.kind == Kind::kBatchNorm;
  const int64_t rows = by_batch ? 1 : found.mean.size(0);
  const int64_t columns = found.mean.numel() / rows;
  const Sizes sizes = by_batch ? Sizes{2, columns} : Sizes{rows, 2, columns};
  const Tensor mask = empty(sizes, false, dtype_of(found.mean));
  const size_t bytes = columns * mask.element_size();
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(row(mask, 2 * i, bytes), row(found.mean, i, bytes), bytes);
    std::memcpy(row(mask, 2 * i + 1, bytes), row(found.deviation, i, bytes), bytes);
  }
  return mask;
}

inline std::array<Tensor, 2> unstacked(const Node& node, const Tensor& mask) {
  const bool by_batch = node.kind == Kind::kBatchNorm;
  const int64_t rows = by_batch ? 1 : mask.size(0), columns = mask.size(by_batch ? 1 : 2);
  const Sizes sizes = by_batch ? Sizes{columns} : Sizes{rows, columns};
  std::array<Tensor, 2> both = {
      empty(sizes, false, dtype_of(mask)), empty(sizes, false, dtype_of(mask))};
  const size_t bytes = columns * mask.element_size();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      std::memcpy(row(both[j], i, bytes), row(mask, 2 * i + j, bytes), bytes);
    }
  }
  return both;
}

struct NormGradients {
  Tensor input;
  Weights weights;
};

inline NormGradients norm_backward(
    const Node& node, const Tensor& weight, const Tensor& x, const Tensor& given,
    const Tensor& mean, const Tensor& deviation) {
  using torch::stable::detail::from;
  using torch::stable::detail::to;
  // All three, needed or not: `specbp.arithmetic.float32` says why.
  const std::array<bool, 3> flags = {true, true, true};
  const torch::headeronly::HeaderOnlyArrayRef<bool> wanted(flags.data(), flags.size());
  const std::optional<Tensor> scale = weight, none;
  std::array<StableIValue, 10> stack;
  if (node.kind == Kind::kBatchNorm) {
    stack = {from(given), from(x), from(scale), from(none), from(none), from(std::optional(mean)),
             from(std::optional(deviation)), from(true), from(node.number), from(wanted)};
    call("aten::native_batch_norm_backward", stack);
  } else {
    const Tensor grad = formatted_like(given, x);
    stack = {from(grad), from(x), from(mean), from(deviation), from(scale), from(x.size(0)),
             from(x.size(1)), from(area(x)), from(node.groups), from(wanted)};
    call("aten::native_group_norm_backward", stack);
  }
  return {to<Tensor>(stack[0]), {to<Tensor>(stack[1]), to<Tensor>(stack[2])}};
}

// The statistics are those of these very samples, whoever else's a mask may hold.
inline Weights norm_weight_grad(const Node& node, const Tensor& x, const Tensor& grad) {
  const Tensor ones = empty({x.size(1)}, false, dtype_of(x));
  const Tensor zeros = empty({x.size(1)}, false, dtype_of(x));
  float* one = static_cast<float*>(ones.data_ptr());
  for (int64_t i = 0; i < ones.numel(); ++i) one[i] = 1;
  std::memset(zeros.data_ptr(), 0, zeros.numel() * zeros.element_size());
  const Normalised found = normalised(node, {ones, zeros}, x);
  return norm_backward(node, ones, x, grad, found.mean, found.deviation).weights;
}
