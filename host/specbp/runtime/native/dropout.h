// Which values dropout keeps, as `specbp.arithmetic.dropout` decides. Part of operations.h.

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
constexpr int kDrawnBits = 24;

inline uint64_t mixed(uint64_t number) {
  number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
  return number ^ (number >> 31);
}

// The factor of each value of `x`: `keys` has a number for each of its samples.
inline Tensor dropout_factors(
    const Node& node, const Tensor& x, const std::vector<uint64_t>& keys) {
  Tensor factors = empty_rows(x, x.size(0));
  float* to = static_cast<float*>(factors.data_ptr());
  const int64_t count = x.numel() / std::max<int64_t>(x.size(0), 1);
  const bool together = channels_together(x);
  const int64_t channels = together ? x.size(1) : 1, pixels = count / channels;
  const float kept = static_cast<float>(node.number);
  const auto least = static_cast<uint64_t>(node.second);
  for (const uint64_t key : keys) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        const uint64_t counter = static_cast<uint64_t>(channel * pixels + pixel + 1) * kGolden;
        const bool is_kept = mixed(key + counter) >> (64 - kDrawnBits) >= least;
        to[pixel * channels + channel] = is_kept ? kept : 0.0f;
      }
    }
    to += count;
  }
  return factors;
}

inline Tensor product(const Tensor& a, const Tensor& b) {
  Tensor result = empty_rows(a, a.size(0));
  const float* of_a = static_cast<const float*>(a.data_ptr());
  const float* of_b = static_cast<const float*>(b.data_ptr());
  float* to = static_cast<float*>(result.data_ptr());
  const int64_t count = a.numel();
  for (int64_t i = 0; i < count; ++i) to[i] = of_a[i] * of_b[i];
  return result;
}
