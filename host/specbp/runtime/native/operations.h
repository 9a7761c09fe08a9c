// What one operation of a layer computes, by PyTorch's kernels through its stable C interface, so
// that the compiled runtime depends on no C++ symbol of PyTorch. Loops of our own are those that
// give the same bits in whatever order they run: copies, ReLU, sums of two numbers.

#pragma once

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace specbp {

using torch::stable::Tensor;
using Sizes = std::vector<int64_t>;

inline Tensor owned(AtenTensorHandle handle) { return Tensor(handle); }

inline Sizes sizes_of(const Tensor& tensor) {
  Sizes sizes(tensor.dim());
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] = tensor.size(i);
  return sizes;
}

// Whether the channels of images or kernels lie together; `specbp.memory_order`.
inline bool channels_together(const Tensor& tensor) {
  if (tensor.dim() != 4 || tensor.is_contiguous()) return false;
  const Sizes n = sizes_of(tensor);
  return tensor.stride(1) == 1 && tensor.stride(3) == n[1] && tensor.stride(2) == n[1] * n[3] &&
      tensor.stride(0) == n[1] * n[2] * n[3];
}

inline Tensor empty(const Sizes& sizes, bool channels_last, int32_t dtype) {
  Sizes strides(sizes.size(), 1);
  if (channels_last) {
    strides = {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
  } else {
    for (int i = static_cast<int>(sizes.size()) - 2; i >= 0; --i) {
      strides[i] = strides[i + 1] * sizes[i + 1];
    }
  }
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      sizes.size(), sizes.data(), strides.data(), dtype, aoti_torch_device_type_cpu(), 0, &handle));
  return owned(handle);
}

inline int32_t dtype_of(const Tensor& tensor) {
  int32_t dtype;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor.get(), &dtype));
  return dtype;
}

// Uninitialised rows, of the shape and memory format of those of `like`.
inline Tensor empty_rows(const Tensor& like, int64_t count) {
  Sizes sizes = sizes_of(like);
  sizes[0] = count;
  return empty(sizes, channels_together(like), dtype_of(like));
}

inline size_t row_bytes(const Tensor& tensor) {
  return tensor.numel() / std::max<int64_t>(tensor.size(0), 1) * tensor.element_size();
}

inline char* row(const Tensor& tensor, int64_t index, size_t bytes) {
  return static_cast<char*>(tensor.data_ptr()) + index * bytes;
}

// `tensor` in the memory format of `like`, so that both can be walked through together.
inline Tensor formatted_like(const Tensor& tensor, const Tensor& like) {
  const bool together = channels_together(like);
  if (together == channels_together(tensor)) return tensor;
  using torch::headeronly::MemoryFormat;
  return torch::stable::contiguous(
      tensor, together ? MemoryFormat::ChannelsLast : MemoryFormat::Contiguous);
}

// The rows of `tensor` at `index`.
inline Tensor rows_of(const Tensor& tensor, const std::vector<int64_t>& index) {
  Tensor picked = empty_rows(tensor, index.size());
  const size_t bytes = row_bytes(tensor);
  for (size_t i = 0; i < index.size(); ++i) {
    std::memcpy(row(picked, i, bytes), row(tensor, index[i], bytes), bytes);
  }
  return picked;
}

inline void put_rows(const Tensor& target, const std::vector<int64_t>& index, const Tensor& given) {
  const Tensor rows = formatted_like(given, target);
  const size_t bytes = row_bytes(target);
  for (size_t i = 0; i < index.size(); ++i) {
    std::memcpy(row(target, index[i], bytes), row(rows, i, bytes), bytes);
  }
}

inline Tensor narrow(const Tensor& tensor, int64_t first, int64_t count) {
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_aten_narrow(tensor.get(), 0, first, count, &handle));
  return owned(handle);
}

inline Tensor in_memory_order(const Tensor& tensor) {
  if (!channels_together(tensor)) return tensor;
  const std::array<int64_t, 4> order = {0, 2, 3, 1};
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_permute(tensor.get(), order.data(), 4, &handle));
  return owned(handle);
}

inline Tensor transposed(const Tensor& tensor) {
  return torch::stable::transpose(tensor, 0, 1);
}

enum class Kind : int64_t {
  kConvolution, kLinear, kReLU, kMaxPooling, kAveragePooling, kFlatten, kLeakyReLU, kSiLU, kGELU,
  kAddition, kBatchNorm, kGroupNorm, kDropout, kLoss
};

// Weight and bias of a node, those it has, then running statistics; or gradients of the former.
using Weights = std::vector<Tensor>;

// A node of the network: what it computes, on which shapes, and what others do with it.
struct Node {
  Kind kind;
  Sizes kernel, stride, padding, unreached;  // of convolution and pooling
  Sizes input, output;                       // shapes of a sample
  Sizes weight;                              // shape
  Sizes inputs;     // values that it reads: 0 the images, n + 1 the output of node n
  Sizes passes;     // those whose gradient it makes
  int64_t groups;   // of convolution and group norm
  int64_t mask;     // place of what the input gradient needs
  bool has_weights, has_bias;
  bool in_place;    // nobody else reads the first input
  bool owns_grad;   // nobody else reads the gradient at the output
  bool is_kept;     // the value at the place of this node is saved
  bool reads_input, makes_both;
  // Slope; whether GELU is the tanh one; eps, and momentum of a batch norm; of dropout the factor of
  // what is kept, and the number below which a value is dropped.
  double number, second;

  Sizes batched(int64_t count) const {
    Sizes sizes = {count};
    sizes.insert(sizes.end(), input.begin(), input.end());
    return sizes;
  }
};

// An operator of PyTorch, by its name; arguments are replaced by results.
template <size_t count>
inline void call(const char* name, std::array<StableIValue, count>& stack) {
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher(name, "", stack.data(), TORCH_ABI_VERSION));
}

template <typename... Arguments>
inline Tensor called(const char* name, const Arguments&... arguments) {
  std::array<StableIValue, sizeof...(Arguments)> stack = {
      torch::stable::detail::from(arguments)...};
  call(name, stack);
  return torch::stable::detail::to<Tensor>(stack[0]);
}

inline Tensor convolution(
    const Tensor& x,
    const Tensor& weight,
    const Tensor* bias,
    const Node& node,
    bool is_transposed,
    const Sizes& output_padding) {
  const std::array<int64_t, 2> dilation = {1, 1};
  AtenTensorHandle handle, bias_handle = bias ? bias->get() : nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_convolution(
      x.get(), weight.get(), bias ? &bias_handle : nullptr, node.stride.data(), 2,
      node.padding.data(), 2, dilation.data(), 2, is_transposed, output_padding.data(), 2,
      node.groups, &handle));
  return owned(handle);
}

inline Tensor matrix_product(const Tensor& a, const Tensor& b) {
  Tensor product = empty({a.size(0), b.size(1)}, false, dtype_of(a));
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(product.get(), a.get(), b.get()));
  return product;
}

inline Tensor copied(const Tensor& tensor) {
  Tensor copy = empty_rows(tensor, tensor.size(0));
  std::memcpy(copy.data_ptr(), tensor.data_ptr(), tensor.numel() * tensor.element_size());
  return copy;
}

inline void add_to(const Tensor& sum, const Tensor& summand) {
  float* to = static_cast<float*>(sum.data_ptr());
  const float* from = static_cast<const float*>(summand.data_ptr());
  const int64_t count = sum.numel();
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

#include "dropout.h"
#include "norms.h"

struct Output {
  Tensor value;
  std::optional<Tensor> mask;
};

// `specbp.arithmetic.float32.Float32.forward`; `other` is what is added, or the factors of dropout.
inline Output forward(
    const Node& node, const Weights* weights, const Tensor& x, const Tensor* other) {
  static const Sizes none = {0, 0};
  const std::array<int64_t, 2> dilation = {1, 1};
  const Tensor* weight = weights ? &(*weights)[0] : nullptr;
  const Tensor* bias = weights && node.has_bias ? &(*weights)[1] : nullptr;
  AtenTensorHandle value, mask;
  switch (node.kind) {
    case Kind::kConvolution:
      return {convolution(x, *weight, bias, node, false, none), {}};
    case Kind::kLinear: {
      if (!bias) return {matrix_product(x, transposed(*weight)), {}};
      Tensor y = empty({x.size(0), weight->size(0)}, false, dtype_of(x));
      STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_addmm_out(
          y.get(), bias->get(), x.get(), transposed(*weight).get(), 1.0, 1.0));
      return {y, {}};
    }
    case Kind::kReLU: {
      Tensor y = node.in_place ? x : empty_rows(x, x.size(0));
      const float* from = static_cast<const float*>(x.data_ptr());
      float* to = static_cast<float*>(y.data_ptr());
      const int64_t count = x.numel();
      for (int64_t i = 0; i < count; ++i) to[i] = from[i] < 0 ? 0.0f : from[i];
      return {y, y};
    }
    case Kind::kLeakyReLU: {
      Tensor y = node.in_place ? x : empty_rows(x, x.size(0));
      const float* from = static_cast<const float*>(x.data_ptr());
      float* to = static_cast<float*>(y.data_ptr());
      const int64_t count = x.numel();
      const float slope = static_cast<float>(node.number);
      for (int64_t i = 0; i < count; ++i) to[i] = from[i] > 0 ? from[i] : from[i] * slope;
      return {y, y};
    }
    case Kind::kSiLU:
      return {called("aten::silu", x), {}};
    case Kind::kGELU:
      return {called("aten::gelu", x, approximation(node)), {}};
    case Kind::kAddition: {
      Tensor y = node.in_place ? x : copied(x);
      add_to(y, formatted_like(*other, y));
      return {y, {}};
    }
    case Kind::kBatchNorm:
    case Kind::kGroupNorm: {
      const Normalised found = normalised(node, *weights, x);
      return {found.value, stacked(node, found)};
    }
    case Kind::kDropout:
      return {product(x, *other), *other};
    case Kind::kMaxPooling:
      STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_max_pool2d_with_indices(
          x.get(), node.kernel.data(), 2, node.stride.data(), 2, node.padding.data(), 2,
          dilation.data(), 2, 0, &value, &mask));
      return {owned(value), owned(mask)};
    case Kind::kAveragePooling:
      STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_avg_pool2d(
          x.get(), node.kernel.data(), 2, node.stride.data(), 2, node.padding.data(), 2, 0, 1,
          nullptr, &value));
      return {owned(value), {}};
    default:
      return {torch::stable::flatten(x, 1, -1), {}};
  }
}

// `specbp.arithmetic.float32.Float32.input_gradient`; may write to `grad` where the node owns it.
// The gradient of a node that hands on what it is given is `grad` itself.
inline Tensor input_grad(
    const Node& node, const Weights* weights, const Tensor* mask, const Tensor* x, Tensor grad) {
  const std::array<int64_t, 2> dilation = {1, 1};
  const Sizes shape = node.batched(grad.size(0));
  AtenTensorHandle value;
  switch (node.kind) {
    case Kind::kConvolution:
      return convolution(grad, (*weights)[0], nullptr, node, true, node.unreached);
    case Kind::kLinear:
      return matrix_product(grad, (*weights)[0]);
    case Kind::kReLU:
    case Kind::kLeakyReLU: {
      grad = formatted_like(grad, *mask);
      const Tensor made = node.owns_grad ? grad : empty_rows(grad, grad.size(0));
      const float* from = static_cast<const float*>(grad.data_ptr());
      float* to = static_cast<float*>(made.data_ptr());
      const float* output = static_cast<const float*>(mask->data_ptr());
      const int64_t count = grad.numel();
      if (node.kind == Kind::kReLU) {
        for (int64_t i = 0; i < count; ++i) to[i] = output[i] <= 0 ? 0.0f : from[i];
      } else {
        const float slope = static_cast<float>(node.number);
        for (int64_t i = 0; i < count; ++i) to[i] = output[i] > 0 ? from[i] : from[i] * slope;
      }
      return made;
    }
    case Kind::kSiLU:
      return called("aten::silu_backward", grad, *x);
    case Kind::kGELU:
      return called("aten::gelu_backward", grad, *x, approximation(node));
    case Kind::kAddition:
      return grad;
    case Kind::kDropout:
      return product(formatted_like(grad, *mask), *mask);
    case Kind::kMaxPooling: {
      const Tensor like = empty(shape, true, dtype_of(grad));
      STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_max_pool2d_with_indices_backward(
          grad.get(), like.get(), node.kernel.data(), 2, node.stride.data(), 2,
          node.padding.data(), 2, dilation.data(), 2, 0, mask->get(), &value));
      return owned(value);
    }
    case Kind::kAveragePooling: {
      const Tensor like = empty(shape, true, dtype_of(grad));
      STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_avg_pool2d_backward(
          grad.get(), like.get(), node.kernel.data(), 2, node.stride.data(), 2,
          node.padding.data(), 2, 0, 1, nullptr, &value));
      return owned(value);
    }
    default: {
      const Tensor images = torch::stable::view(grad, shape);
      if (shape.size() != 4) return images;
      return torch::stable::contiguous(images, torch::headeronly::MemoryFormat::ChannelsLast);
    }
  }
}

// The pixels of images that a stride reads, side by side; `Float32.weight_gradient` says why.
inline Tensor pixels_apart(
    const Tensor& images, const Sizes& stride, int64_t rows, int64_t columns) {
  const Tensor x =
      torch::stable::contiguous(images, torch::headeronly::MemoryFormat::ChannelsLast);
  const int64_t channels = x.size(1), width = x.size(3);
  const Tensor picked = empty({x.size(0), channels, rows, columns}, true, dtype_of(x));
  const auto* from = static_cast<const float*>(x.data_ptr());
  auto* to = static_cast<float*>(picked.data_ptr());
  for (int64_t image = 0; image < x.size(0); ++image, from += x.size(2) * width * channels) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column, to += channels) {
        const int64_t pixel = row * stride[0] * width + column * stride[1];
        std::memcpy(to, from + pixel * channels, channels * sizeof(float));
      }
    }
  }
  return picked;
}

// `specbp.arithmetic.float32.Float32.weight_gradient`
inline Weights weight_grad(const Node& node, const Tensor& x, const Tensor& grad) {
  if (node.kind == Kind::kBatchNorm || node.kind == Kind::kGroupNorm) {
    return norm_weight_grad(node, x, grad);
  }
  if (node.kind == Kind::kLinear) {
    const std::array<int64_t, 1> rows = {0};
    const Tensor weight = matrix_product(transposed(grad), x);
    if (!node.has_bias) return {weight};
    return {weight, torch::stable::sum(grad, rows, false)};
  }
  const Sizes ones = {1, 1}, none = {0, 0};
  const std::array<int32_t, 3> wanted = {0, 1, node.has_bias};
  const bool apart = node.kernel == ones && node.padding == none && node.stride != ones;
  const Tensor pixels = apart ? pixels_apart(x, node.stride, grad.size(2), grad.size(3)) : x;
  const Sizes& stride = apart ? ones : node.stride;
  const int64_t bias_size = node.weight[0];
  const int64_t* bias_sizes = &bias_size;
  const Tensor like = empty(node.weight, true, dtype_of(grad));
  AtenTensorHandle nothing = nullptr, weight, bias = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_convolution_backward(
      grad.get(), pixels.get(), like.get(), node.has_bias ? &bias_sizes : nullptr,
      node.has_bias ? 1 : 0, stride.data(), 2, node.padding.data(), 2, ones.data(), 2, 0,
      none.data(), 2, node.groups, wanted.data(), 3, &nothing, &weight, &bias));
  if (nothing) owned(nothing);
  if (!node.has_bias) {
    if (bias) owned(bias);
    return {owned(weight)};
  }
  return {owned(weight), owned(bias)};
}

struct Loss {
  Tensor probabilities, losses;
};

// `specbp.arithmetic.float32.Float32.softmax_cross_entropy`
inline Loss softmax_cross_entropy(const Tensor& logits, const int64_t* labels, double smoothing) {
  std::array<StableIValue, 3> stack = {
      torch::stable::detail::from(logits), torch::stable::detail::from(int64_t{1}),
      torch::stable::detail::from(false)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("aten::_log_softmax", "", stack.data(), TORCH_ABI_VERSION));
  const Tensor logarithms = torch::stable::detail::to<Tensor>(stack[0]);
  std::array<StableIValue, 1> exponents = {torch::stable::detail::from(logarithms)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("aten::exp", "", exponents.data(), TORCH_ABI_VERSION));
  const int64_t count = logits.size(0), classes = logits.size(1);
  Tensor losses = empty({count}, false, dtype_of(logits));
  float* to = static_cast<float*>(losses.data_ptr());
  const float* from = static_cast<const float*>(logarithms.data_ptr());
  for (int64_t i = 0; i < count; ++i) {
    to[i] = -from[i * classes + labels[i]];
    if (smoothing == 0) continue;
    double total = 0;
    for (int64_t c = 0; c < classes; ++c) total += from[i * classes + c];
    const auto share = static_cast<float>(smoothing / static_cast<double>(classes));
    to[i] = to[i] * static_cast<float>(1 - smoothing) - static_cast<float>(total) * share;
  }
  return {torch::stable::detail::to<Tensor>(exponents[0]), losses};
}

// `specbp.arithmetic.float32.Float32.logit_gradient`
inline Tensor logit_grad(
    const Tensor& probabilities, const int64_t* labels, int64_t batch_size, double smoothing) {
  const int64_t count = probabilities.size(0), classes = probabilities.size(1);
  Tensor grad = empty({count, classes}, false, dtype_of(probabilities));
  const float* from = static_cast<const float*>(probabilities.data_ptr());
  float* to = static_cast<float*>(grad.data_ptr());
  const float size = static_cast<float>(batch_size);
  const float one = static_cast<float>(-(1 - smoothing) / static_cast<double>(batch_size));
  const float spread = static_cast<float>(
      smoothing / static_cast<double>(classes) / static_cast<double>(batch_size));
  for (int64_t i = 0; i < count * classes; ++i) to[i] = from[i] / size;
  if (smoothing != 0) {
    for (int64_t i = 0; i < count * classes; ++i) to[i] -= spread;
  }
  for (int64_t i = 0; i < count; ++i) to[i * classes + labels[i]] += one;
  return grad;
}

// The numbers of the update of a step; `specbp.runtime.step.StepParams`.
struct StepParams {
  double learning_rate, momentum, weight_decay, nesterov, distance;
};

// A part of the update: rows of one node, or all of several; `specbp.arithmetic.float32.Place`.
struct Part {
  std::vector<int64_t> nodes;
  int64_t first, count;  // rows of the weight; count 0 for all
  bool has_bias;  // whether biases, of nodes that have one, are in it
  std::vector<Tensor> weights, momentum_buffers, ahead;

  std::vector<Tensor> of(const std::vector<const Weights*>& gradients) const {
    std::vector<Tensor> found;
    for (const Weights* of_node : gradients) {
      const Tensor& weight = (*of_node)[0];
      found.push_back(count ? narrow(weight, first, count) : in_memory_order(weight));
      if (has_bias && of_node->size() > 1) found.push_back((*of_node)[1]);
    }
    return found;
  }
};

inline void update(
    const Part& part, const std::vector<const Weights*>& gradients, const StepParams& params) {
  const std::vector<Tensor> none;
  std::array<StableIValue, 12> stack = {
      torch::stable::detail::from(part.weights),
      torch::stable::detail::from(part.of(gradients)),
      torch::stable::detail::from(params.momentum != 0 ? part.momentum_buffers : none),
      torch::stable::detail::from(params.weight_decay),
      torch::stable::detail::from(params.momentum),
      torch::stable::detail::from(params.learning_rate),
      torch::stable::detail::from(0.0),
      torch::stable::detail::from(params.nesterov != 0),
      torch::stable::detail::from(false),
      torch::stable::detail::from(false),
      torch::stable::detail::from(std::nullopt),
      torch::stable::detail::from(std::nullopt)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("aten::_fused_sgd_", "", stack.data(), TORCH_ABI_VERSION));
  const float distance = static_cast<float>(-params.distance);
  for (size_t i = 0; i < part.ahead.size(); ++i) {
    const float* w = static_cast<const float*>(part.weights[i].data_ptr());
    const float* m = static_cast<const float*>(part.momentum_buffers[i].data_ptr());
    float* to = static_cast<float*>(part.ahead[i].data_ptr());
    const int64_t count = part.weights[i].numel();
    for (int64_t j = 0; j < count; ++j) to[j] = m[j] * distance + w[j];
  }
}

}  // namespace specbp
