// Executes plans without Python between tasks; what each task does is specified by
// `specbp.runtime.execution`, whose bits these are. An engine without work spins for a millisecond
// before it sleeps: to wake a thread takes 100 us.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "augmentation.h"
#include "cache.h"
#include "operations.h"
#include "plan.h"

namespace specbp {

constexpr auto kPatience = std::chrono::milliseconds(1);
constexpr double kAdaptation = 0.1;  // `specbp.runtime.gates.GAIN`

double now() {  // as Python's time.perf_counter
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

class SpinLock {
 public:
  void lock() {
    while (taken_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { taken_.clear(std::memory_order_release); }

 private:
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
};

struct Span {
  int64_t engine;
  What what;
  int64_t node;
  double started, ended;
};

enum class Metric : int64_t { kOpen, kMax, kTotalVariation, kMean, kLoss };

struct Gate {
  Metric metric;
  double threshold, target;  // target is negative where the threshold stays

  bool accepts(const float* actual, const float* cached, int64_t classes, float loss) const {
    if (metric == Metric::kOpen) return true;
    if (metric == Metric::kLoss) return loss >= static_cast<float>(threshold);
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < classes; ++i) {
      const double difference = std::abs(static_cast<double>(actual[i] - cached[i]));
      largest = std::max(largest, difference);
      sum += difference;
    }
    if (metric == Metric::kMax) return largest < threshold;
    return (metric == Metric::kTotalVariation ? sum / 2 : sum / classes) < threshold;
  }

  void adapt(int64_t accepted, int64_t looked_at) {
    if (target < 0 || !looked_at) return;
    const double share = static_cast<double>(accepted) / static_cast<double>(looked_at);
    threshold *= std::exp(kAdaptation * (target - share));
  }
};

// The training images, and what each value of a pixel becomes.
struct Images {
  Tensor pixels;  // uint8 [samples, channels, height, width]
  Tensor table;   // float32 [channels, 256]
  Tensor like;    // a batch, for its shape and memory format
  Augmentation augmentation{};

  Tensor batch(const int64_t* index, int64_t count) {
    Tensor images = empty_rows(like, count);
    const int64_t channels = like.size(1), area = like.size(2) * like.size(3);
    const bool together = channels_together(like);
    const auto* from = static_cast<const uint8_t*>(pixels.data_ptr());
    const auto* values = static_cast<const float*>(table.data_ptr());
    float* to = static_cast<float*>(images.data_ptr());
    std::vector<uint8_t> changed(augmentation.places ? channels * area : 0);
    for (int64_t i = 0; i < count; ++i, to += channels * area) {
      const uint8_t* image = from + index[i] * channels * area;
      if (augmentation.places) {
        augmentation.apply(image, changed.data(), channels, like.size(2), like.size(3));
        image = changed.data();
      }
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t p = 0; p < area; ++p) {
          to[together ? p * channels + c : c * area + p] = values[c * 256 + image[c * area + p]];
        }
      }
    }
    return images;
  }
};

// The values of a step in progress, by what they are, whose rows they have, and the node.
struct Values {
  using Slots = std::vector<std::optional<Tensor>>;
  explicit Values(size_t nodes) : nodes_(nodes) {
    const size_t rows = static_cast<size_t>(Rows::kCount);
    input_.resize(rows * (nodes + 1));
    saved_.resize(rows * (nodes + 1));
    grad_.resize(rows * (nodes + 1));
    gradient_.resize(rows * (nodes + 1));
    by_product_.resize(rows * (nodes + 1));
  }

  std::optional<Tensor>& input(Rows rows, int64_t node) { return input_[at(rows, node)]; }
  std::optional<Tensor>& saved(Rows rows, int64_t node) { return saved_[at(rows, node)]; }
  // The gradient at the output of the node; the loss is one after the last.
  std::optional<Tensor>& grad(Rows rows, int64_t node) { return grad_[at(rows, node)]; }
  std::optional<Weights>& gradient(Rows rows, int64_t node) { return gradient_[at(rows, node)]; }

  // The gradient of a node's weights that its input gradient has made.
  std::optional<Weights>& by_product(Rows rows, int64_t node) {
    return by_product_[at(rows, node)];
  }

  void clear() {
    for (Slots* slots : {&input_, &saved_, &grad_}) {
      for (auto& one : *slots) one.reset();
    }
    for (auto* gradients : {&gradient_, &by_product_}) {
      for (auto& one : *gradients) one.reset();
    }
    losses = {};
    index = {};
  }

  std::array<std::vector<int64_t>, static_cast<size_t>(Rows::kCount)> labels, index;
  std::array<std::optional<Tensor>, static_cast<size_t>(Rows::kCount)> losses;
  std::vector<char> hit, accepted;
  bool any_hit = false, any_rejected = false, any_deferred = false;

 private:
  size_t at(Rows rows, int64_t node) const {
    return static_cast<size_t>(rows) * (nodes_ + 1) + node;
  }

  size_t nodes_;
  Slots input_, saved_, grad_;
  std::vector<std::optional<Weights>> gradient_, by_product_;
};

bool is_picked(Rows rows) {
  return rows == Rows::kRejected || rows == Rows::kRejected0 || rows == Rows::kRejected1 ||
      rows == Rows::kKept;
}

class Runtime {
 public:
  Runtime(
      std::vector<Node> nodes,
      std::vector<Weights> weights,
      std::vector<Weights> ahead,
      std::vector<Part> parts,
      Images images,
      Tensor labels,
      std::unique_ptr<Cache> cache,
      Gate gate,
      std::vector<Plan> plans,
      int64_t seed)
      : nodes_(std::move(nodes)),
        weights_(std::move(weights)),
        ahead_(std::move(ahead)),
        parts_(std::move(parts)),
        images_(std::move(images)),
        labels_(std::move(labels)),
        plans_(std::move(plans)),
        cache_(std::move(cache)),
        gate_(gate),
        seed_(seed),
        values_(nodes_.size()) {
    int64_t position = 0;
    for (const Node& node : nodes_) positions_.push_back(node.has_weights ? position++ : -1);
    size_t most = 0;
    for (const Plan& plan : plans_) most = std::max(most, plan.tasks.size());
    missing_ = std::vector<std::atomic<int64_t>>(most);
  }

  // Engine 1: execute tasks of each step until the runtime is closed. Called by a thread of its own.
  void serve() {
    int64_t seen = 0;
    while (true) {
      const auto patient_until = std::chrono::steady_clock::now() + kPatience;
      while (steps_begun_.load(std::memory_order_acquire) == seen && !is_closed_) {
        if (std::chrono::steady_clock::now() < patient_until) {
          std::this_thread::yield();
        } else {
          std::unique_lock<std::mutex> guard(sleeping_);
          wake_.wait(guard, [&] { return steps_begun_ != seen || is_closed_; });
        }
      }
      if (is_closed_) break;
      seen = steps_begun_.load(std::memory_order_acquire);
      work(1);
      steps_ended_.store(seen, std::memory_order_release);
    }
  }

  void close() {
    {
      const std::lock_guard<std::mutex> guard(sleeping_);
      is_closed_ = true;
    }
    wake_.notify_all();
  }

  // Execute a step on the caller's engine 0 and, if the plan has two, on engine 1.
  void step(
      const int64_t* index, int64_t count, const StepParams& params, bool warmup, int64_t step) {
    step_ = step;
    begin(index, count, params, warmup);
    if (plan_->engines == 2) {
      {
        const std::lock_guard<std::mutex> guard(sleeping_);
        steps_begun_.fetch_add(1, std::memory_order_acq_rel);
      }
      wake_.notify_one();
    }
    work(0);
    if (plan_->engines == 2) {
      const int64_t begun = steps_begun_;
      while (steps_ended_.load(std::memory_order_acquire) != begun) std::this_thread::yield();
    }
    if (has_failed_) throw std::runtime_error(error_);
    end();
  }

  // The next steps load images so, one after the other.
  void augment(Augmentation augmentation) { images_.augmentation = std::move(augmentation); }

  double label_smoothing = 0;

  const Plan& plan() const { return *plan_; }
  Values& values() { return values_; }
  int64_t loss() const { return static_cast<int64_t>(nodes_.size()) - 1; }
  std::array<std::vector<Span>, 2>& spans() { return spans_; }
  Cache* cache() { return cache_.get(); }
  Gate& gate() { return gate_; }
  std::vector<Plan>& plans() { return plans_; }
  const Tensor& labels() const { return labels_; }
  double started() const { return started_; }
  double ended() const { return ended_; }

  // What the last step left of rejected samples, and their labels.
  std::map<Slot, Tensor> put_off;
  std::vector<int64_t> put_off_labels;

 private:
  void begin(const int64_t* index, int64_t count, const StepParams& params, bool warmup) {
    started_ = now();
    params_ = params;
    index_ = index;
    count_ = count;
    values_.clear();
    const auto* labels = static_cast<const int64_t*>(labels_.data_ptr());
    auto& batch = values_.labels[static_cast<size_t>(Rows::kBatch)];
    batch.clear();
    for (int64_t i = 0; i < count; ++i) batch.push_back(labels[index[i]]);
    values_.accepted.assign(count, 1);
    values_.hit.assign(count, 0);
    values_.any_rejected = false;
    if (cache_) {
      values_.hit = cache_->hits(batch);
      values_.labels[static_cast<size_t>(Rows::kCached)] = cache_->labels_of(batch);
      cache_->begin_step(batch);
    }
    const auto hits = std::count(values_.hit.begin(), values_.hit.end(), 1);
    values_.any_hit = hits > 0;
    values_.any_deferred = !put_off_labels.empty();
    if (values_.any_deferred) {
      values_.labels[static_cast<size_t>(Rows::kDeferred)] = put_off_labels;
      for (const auto& [slot, rows] : put_off) named(slot.second, Rows::kDeferred, slot.first) = rows;
    }
    is_warmup_ = warmup;
    plan_ = &plans_[warmup ? 2 : (!cache_ || hits == count) ? 0 : 1];
    for (auto& one : spans_) one.clear();
    ready_[0].clear();
    ready_[1].clear();
    ready_[2].clear();
    left_ = static_cast<int64_t>(plan_->tasks.size());
    for (size_t i = 0; i < plan_->tasks.size(); ++i) {
      missing_[i] = plan_->tasks[i].needs;
      if (!plan_->tasks[i].needs) put_ready(static_cast<int64_t>(i));
    }
  }

  void end() {
    const auto& batch = values_.labels[static_cast<size_t>(Rows::kBatch)];
    if (plan_->commits) {
      std::map<Slot, Tensor> saved;
      if (cache_->is_batch()) {
        for (const Task& task : plan_->tasks) {
          if (task.what == What::kCommit) {
            for (const Name name : names_of(task.node)) {
              saved.emplace(Slot(task.node, name), *named(name, Rows::kBatch, task.node));
            }
          }
        }
      }
      cache_->end_step(batch, std::move(saved));
    }
    put_off.clear();
    put_off_labels.clear();
    if (plan_->defers && values_.any_rejected) {
      const auto& rejected = values_.index[static_cast<size_t>(Rows::kRejected)];
      for (const int64_t i : rejected) put_off_labels.push_back(batch[i]);
      for (int64_t node = 0; node <= loss(); ++node) {
        for (const Name name : names_of(node)) {
          put_off.emplace(Slot(node, name), rows_of(*named(name, Rows::kBatch, node), rejected));
        }
      }
    }
    ended_ = now();
  }

  // What a forward saves at the place of a node: the value of that number, and the node's mask.
  std::vector<Name> names_of(int64_t node) const {
    std::vector<Name> names;
    if (nodes_[node].is_kept) names.push_back(Name::kInput);
    if (nodes_[node].mask == node) names.push_back(Name::kSaved);
    return names;
  }

  std::optional<Tensor>& named(Name name, Rows rows, int64_t node) {
    return name == Name::kInput ? values_.input(rows, node) : values_.saved(rows, node);
  }

  void put_ready(int64_t task) {
    const int64_t engine = plan_->tasks[task].engine;
    ready_[engine < 0 ? 2 : engine].push_back(task);
  }

  void work(int64_t engine) {
    double waiting_since = 0;
    while (left_.load(std::memory_order_acquire) && !has_failed_) {
      const int64_t task = next(engine);
      if (task < 0) {
        if (!waiting_since) waiting_since = now();
        std::this_thread::yield();
        continue;
      }
      if (waiting_since) {
        spans_[engine].push_back({engine, What::kWait, -1, waiting_since, now()});
        waiting_since = 0;
      }
      try {
        execute(plan_->tasks[task], engine);
      } catch (const std::exception& error) {
        const std::lock_guard<SpinLock> guard(lock_);
        if (!has_failed_) error_ = error.what();
        has_failed_ = true;
        return;
      }
      const std::lock_guard<SpinLock> guard(lock_);
      for (const int64_t follower : plan_->tasks[task].followers) {
        if (!--missing_[follower]) put_ready(follower);
      }
      --left_;
    }
    if (waiting_since) spans_[engine].push_back({engine, What::kWait, -1, waiting_since, now()});
  }

  // Take the ready task with the largest priority, -1 if there is none for this engine.
  int64_t next(int64_t engine) {
    const std::lock_guard<SpinLock> guard(lock_);
    std::vector<int64_t>* from = nullptr;
    size_t best = 0;
    for (std::vector<int64_t>* ready : {&ready_[engine], &ready_[2]}) {
      for (size_t i = 0; i < ready->size(); ++i) {
        if (!from || priority((*ready)[i]) > priority((*from)[best])) {
          from = ready;
          best = i;
        }
      }
    }
    if (!from) return -1;
    const int64_t task = (*from)[best];
    from->erase(from->begin() + static_cast<int64_t>(best));
    return task;
  }

  double priority(int64_t task) const { return plan_->tasks[task].priority; }

  bool runs(When when) const {
    switch (when) {
      case When::kHit: return values_.any_hit;
      case When::kRejected: return values_.any_rejected;
      case When::kDeferred: return values_.any_deferred;
      default: return true;
    }
  }

  void execute(const Task& task, int64_t engine) {
    if (!runs(task.when)) return;
    const double started = now();
    switch (task.what) {
      case What::kLoad:
        values_.input(Rows::kBatch, 0) = images_.batch(index_, count_);
        break;
      case What::kForward:
      case What::kRefresh:
        run_forward(task);
        break;
      case What::kLookup:
        for (const Name name : names_of(task.node)) {
          named(name, Rows::kCached, task.node) =
              cache_->lookup(Slot(task.node, name), labels_of(Rows::kBatch));
        }
        break;
      case What::kGate:
        decide();
        break;
      case What::kInputGrad:
      case What::kRedo:
        run_input_grad(task);
        break;
      case What::kWeightGrad:
        run_weight_grad(task);
        break;
      case What::kReduceGrad:
        reduce(task.node);
        break;
      case What::kUpdate:
        run_update(parts_[task.node]);
        break;
      case What::kCommit:
        if (!cache_->is_batch()) {
          for (const Name name : names_of(task.node)) {
            cache_->commit(
                Slot(task.node, name), labels_of(Rows::kBatch),
                *named(name, Rows::kBatch, task.node));
          }
        }
        break;
      case What::kWait:
        break;
    }
    spans_[engine].push_back({engine, task.what, task.node, started, now()});
  }

  void run_forward(const Task& task) {
    const Rows rows = task.rows;
    const Node& node = nodes_[task.node];
    const Tensor x = value_of(rows, node.inputs[0]);
    if (task.node == loss()) {
      const Loss found = softmax_cross_entropy(x, labels_of(rows).data(), label_smoothing);
      values_.saved(rows, task.node) = found.probabilities;
      values_.losses[static_cast<size_t>(rows)] = found.losses;
      return;
    }
    // A warm-up reads the weights themselves, and so does a refresh.
    const bool current = is_warmup_ || task.what == What::kRefresh;
    std::optional<Tensor> other;
    if (node.inputs.size() > 1) other = value_of(rows, node.inputs[1]);
    if (node.kind == Kind::kDropout) other = dropout_factors(node, x, keys_of(rows, task.node));
    Output output = forward(
        node, weights_of(current ? weights_ : ahead_, task.node), x, other ? &*other : nullptr);
    values_.input(rows, task.node + 1) = output.value;
    if (output.mask) values_.saved(rows, task.node) = *output.mask;
  }

  // A number for each sample of which dropout is made; `specbp.arithmetic.dropout.Draw`.
  std::vector<uint64_t> keys_of(Rows rows, int64_t node) const {
    uint64_t key = 0;
    for (const int64_t number : {seed_, step_, node}) {
      key = mixed(key + kGolden + static_cast<uint64_t>(number));
    }
    const int64_t half = (count_ + 1) / 2;
    const int64_t first = rows == Rows::kHalf1 ? half : 0;
    const int64_t last = rows == Rows::kHalf0 ? half : count_;
    std::vector<uint64_t> keys;
    for (int64_t i = first; i < last; ++i) {
      keys.push_back(mixed(key + kGolden + static_cast<uint64_t>(index_[i])));
    }
    return keys;
  }

  void decide() {
    const Tensor& actual = *values_.saved(Rows::kBatch, loss());
    const auto& cached = values_.saved(Rows::kCached, loss());
    const Tensor& losses = *values_.losses[static_cast<size_t>(Rows::kBatch)];
    const int64_t classes = actual.size(1);
    const auto* of_actual = static_cast<const float*>(actual.data_ptr());
    const auto* of_cached = cached ? static_cast<const float*>(cached->data_ptr()) : of_actual;
    const auto* of_losses = static_cast<const float*>(losses.data_ptr());
    int64_t accepted = 0, looked_at = 0;
    auto& rejected = values_.index[static_cast<size_t>(Rows::kRejected)];
    auto& kept = values_.index[static_cast<size_t>(Rows::kKept)];
    for (int64_t i = 0; i < count_; ++i) {
      const bool is_seen = !cache_ || values_.hit[i];
      const bool is_accepted = is_seen &&
          gate_.accepts(of_actual + i * classes, of_cached + i * classes, classes, of_losses[i]);
      looked_at += is_seen;
      accepted += is_accepted;
      values_.accepted[i] = is_accepted;
      (is_accepted ? kept : rejected).push_back(i);
    }
    gate_.adapt(accepted, looked_at);
    values_.any_rejected = !rejected.empty();
    const auto half = rejected.begin() + (static_cast<int64_t>(rejected.size()) + 1) / 2;
    values_.index[static_cast<size_t>(Rows::kRejected0)].assign(rejected.begin(), half);
    values_.index[static_cast<size_t>(Rows::kRejected1)].assign(half, rejected.end());
  }

  void run_input_grad(const Task& task) {
    const int64_t node = task.node;
    const Rows rows = task.rows;
    const bool picked = is_picked(rows);
    if (task.what == What::kRedo && index_of(rows).empty()) return;
    const Node& of_node = nodes_[node];
    std::optional<Tensor> saved;
    if (of_node.mask >= 0) {
      saved = picked_of(of_node.mask == node ? Name::kSaved : Name::kInput, rows, of_node.mask);
    }
    if (node == loss()) {
      const Rows whose = picked ? rows : task.inputs;
      pass_on(
          of_node, rows,
          logit_grad(*saved, labels_of(whose).data(), count_, label_smoothing));
      return;
    }
    const Weights* weights = weights_of(weights_, node);
    const Tensor& grad = *values_.grad(rows, node);
    std::optional<Tensor> x;
    if (of_node.reads_input) x = picked_of(Name::kInput, rows, of_node.inputs[0]);
    if (of_node.makes_both) {
      const auto [mean, deviation] = unstacked(of_node, *saved);
      NormGradients found =
          norm_backward(of_node, (*weights)[0], *x, grad, mean, deviation);
      values_.by_product(rows, node) = std::move(found.weights);
      pass_on(of_node, rows, found.input);
      return;
    }
    pass_on(
        of_node, rows,
        input_grad(of_node, weights, saved ? &*saved : nullptr, x ? &*x : nullptr, grad));
  }

  // Hand the gradient at the inputs of a node to those who made them; several readers' is summed.
  void pass_on(const Node& node, Rows rows, const Tensor& grad) {
    const bool is_alias = node.kind == Kind::kAddition ||
        (node.kind == Kind::kFlatten && !node.owns_grad);
    for (size_t i = 0; i < node.passes.size(); ++i) {
      auto& slot = values_.grad(rows, node.passes[i] - 1);
      if (slot) {
        const Tensor sum = is_alias ? copied(grad) : grad;
        add_to(sum, formatted_like(*slot, sum));
        slot = sum;
      } else {
        // A weight gradient may overwrite rows of what was speculated: not those of another.
        slot = i && rows == Rows::kCached ? copied(grad) : grad;
      }
    }
  }

  // The layer inputs of a weight gradient, and what they meet.
  struct Operands {
    Tensor x, grad;
  };

  void run_weight_grad(const Task& task) {
    const int64_t node = task.node;
    auto& made = values_.by_product(task.rows, node);
    if (made && task.rows == task.inputs) {
      values_.gradient(task.rows, node) = std::move(made);
      return;
    }
    const Operands found = operands_of(task);
    values_.gradient(task.rows, node) = weight_grad(nodes_[node], found.x, found.grad);
  }

  Operands operands_of(const Task& task) {
    const int64_t node = task.node, input = nodes_[node].inputs[0];
    if (task.rows == Rows::kMerged) return merged(task);
    if (task.rows == Rows::kAccepted) return accepted(task);
    const bool picked = is_picked(task.rows);
    return {
        picked ? picked_of(Name::kInput, task.rows, input) : value_of(task.inputs, input),
        *values_.grad(task.rows, node)};
  }

  // Speculated where accepted, redone elsewhere.
  Operands merged(const Task& task) {
    const int64_t node = task.node, input = nodes_[node].inputs[0];
    const Tensor from_batch = value_of(Rows::kBatch, input);
    const auto& rejected = index_of(Rows::kRejected);
    const bool all = static_cast<int64_t>(rejected.size()) == count_;
    auto& grad = values_.grad(Rows::kCached, node);
    for (const Rows rows : {Rows::kRejected, Rows::kRejected0, Rows::kRejected1}) {
      const auto& redone = values_.grad(rows, node);
      if (redone && !grad) grad = empty_rows(*redone, count_);
      if (redone) put_rows(*grad, index_of(rows), *redone);
    }
    if (all || task.inputs != Rows::kCached) return {from_batch, *grad};
    const Tensor x = value_of(Rows::kCached, input);
    if (!rejected.empty()) put_rows(x, rejected, rows_of(from_batch, rejected));
    return {x, *grad};
  }

  // Speculated, zero where that was not accepted.
  Operands accepted(const Task& task) {
    const int64_t node = task.node, input = nodes_[node].inputs[0];
    if (!values_.any_hit) {
      Sizes sizes = {count_};
      sizes.insert(sizes.end(), nodes_[node].output.begin(), nodes_[node].output.end());
      const Tensor x = value_of(Rows::kBatch, input);
      const Tensor grad = empty(sizes, sizes.size() == 4, dtype_of(x));
      std::memset(grad.data_ptr(), 0, grad.numel() * grad.element_size());
      return {x, grad};
    }
    const Tensor grad = *values_.grad(Rows::kCached, node);
    const size_t bytes = row_bytes(grad);
    for (const int64_t i : index_of(Rows::kRejected)) std::memset(row(grad, i, bytes), 0, bytes);
    return {value_of(task.inputs, input), grad};
  }

  // Add all gradients of a node into the first.
  void reduce(int64_t node) {
    Weights* sum = nullptr;
    for (int64_t i = 0; i < static_cast<int64_t>(Rows::kCount); ++i) {
      auto& one = values_.gradient(static_cast<Rows>(i), node);
      if (one && sum) {
        for (size_t j = 0; j < sum->size(); ++j) add_to((*sum)[j], (*one)[j]);
        one.reset();
      } else if (one) {
        sum = &*one;
      }
    }
  }

  void run_update(const Part& part) {
    std::vector<const Weights*> gradients;
    for (const int64_t node : part.nodes) {
      for (int64_t i = 0; i < static_cast<int64_t>(Rows::kCount); ++i) {
        if (const auto& one = values_.gradient(static_cast<Rows>(i), node)) {
          gradients.push_back(&*one);
          break;
        }
      }
    }
    update(part, gradients, params_);
  }

  // What nodes read, for rows that are there as a whole.
  Tensor value_of(Rows rows, int64_t value) {
    if (value == 0 && (rows == Rows::kHalf0 || rows == Rows::kHalf1)) {
      const int64_t first = rows == Rows::kHalf0 ? 0 : (count_ + 1) / 2;
      const int64_t count = rows == Rows::kHalf0 ? (count_ + 1) / 2 : count_ / 2;
      return narrow(*values_.input(Rows::kBatch, 0), first, count);
    }
    return *values_.input(rows, value);
  }

  Tensor picked_of(Name name, Rows rows, int64_t place) {
    if (!is_picked(rows)) {
      return name == Name::kInput ? value_of(rows, place) : *values_.saved(rows, place);
    }
    const Tensor& whole = *named(name, Rows::kBatch, place);
    const auto& index = index_of(rows);
    return static_cast<int64_t>(index.size()) == count_ ? whole : rows_of(whole, index);
  }

  std::vector<int64_t> labels_of(Rows rows) const {
    const auto& batch = values_.labels[static_cast<size_t>(Rows::kBatch)];
    if (is_picked(rows)) {
      std::vector<int64_t> found;
      for (const int64_t i : values_.index[static_cast<size_t>(rows)]) found.push_back(batch[i]);
      return found;
    }
    const auto half = batch.begin() + (count_ + 1) / 2;
    if (rows == Rows::kHalf0) return {batch.begin(), half};
    if (rows == Rows::kHalf1) return {half, batch.end()};
    return values_.labels[static_cast<size_t>(rows)];
  }

  const std::vector<int64_t>& index_of(Rows rows) const {
    return values_.index[static_cast<size_t>(rows)];
  }

  const Weights* weights_of(const std::vector<Weights>& all, int64_t node) const {
    return positions_[node] < 0 ? nullptr : &all[positions_[node]];
  }

  const std::vector<Node> nodes_;
  const std::vector<Weights> weights_, ahead_;
  const std::vector<Part> parts_;
  Images images_;
  const Tensor labels_;
  std::vector<Plan> plans_;  // of a step with hits only, of any other, of a warm-up
  std::unique_ptr<Cache> cache_;
  Gate gate_;
  const int64_t seed_;
  std::vector<int64_t> positions_;  // of each node among those with weights, -1 for none

  // Of the step in progress, what it is given
  const Plan* plan_ = nullptr;
  StepParams params_{};
  const int64_t* index_ = nullptr;
  int64_t count_ = 0, step_ = 0;
  bool is_warmup_ = false;
  double started_ = 0, ended_ = 0;
  // and what the engines change; lists and failure with the lock held.
  Values values_;
  std::array<std::vector<Span>, 2> spans_;
  SpinLock lock_;
  std::vector<std::atomic<int64_t>> missing_;     // of each task, how many of those it needs
  std::array<std::vector<int64_t>, 3> ready_;     // of engine 0, of engine 1, of any
  std::atomic<int64_t> left_{0};                  // tasks
  std::atomic<bool> has_failed_{false};
  std::string error_;

  std::mutex sleeping_;
  std::condition_variable wake_;
  std::atomic<int64_t> steps_begun_{0}, steps_ended_{0};
  std::atomic<bool> is_closed_{false};
};

// ---- what Python calls -------------------------------------------------------------------------

std::mutex registry_lock;
std::map<int64_t, std::shared_ptr<Runtime>> registry;
int64_t next_handle = 1;

std::shared_ptr<Runtime> found(int64_t handle) {
  const std::lock_guard<std::mutex> guard(registry_lock);
  const auto place = registry.find(handle);
  return place == registry.end() ? nullptr : place->second;
}

std::shared_ptr<Runtime> runtime_of(int64_t handle) {
  const auto runtime = found(handle);
  if (!runtime) throw std::runtime_error("the runtime is closed");
  return runtime;
}

const int64_t* integers(const Tensor& tensor) {
  return static_cast<const int64_t*>(tensor.data_ptr());
}

const double* doubles(const Tensor& tensor) {
  return static_cast<const double*>(tensor.data_ptr());
}

// `table` has a row of 32 numbers for each node: kind, kernel (2), stride (2), padding (2), unreached
// (2), number of input dimensions, input (3), number of output dimensions, output (3), number of
// values read, values read (2), number of values whose gradient is made, those values (2), groups,
// mask, number of tensors, whether there is a bias, and five more that are true or false: in place,
// owns the gradient, is kept, reads its input, makes both. `numbers` has two more, float64.
std::vector<Node> nodes_from(
    const Tensor& table, const Tensor& numbers, const std::vector<Tensor>& weights) {
  std::vector<Node> nodes;
  size_t weight = 0;
  const int64_t* n = integers(table);
  const double* d = doubles(numbers);
  for (int64_t i = 0; i < table.size(0); ++i, n += 32, d += 2) {
    const auto some = [](const int64_t* of) { return Sizes(of + 1, of + 1 + of[0]); };
    Node node = {
        static_cast<Kind>(n[0]), {n[1], n[2]}, {n[3], n[4]}, {n[5], n[6]}, {n[7], n[8]},
        some(n + 9), some(n + 13), {}, some(n + 17), some(n + 20), n[23], n[24], n[25] != 0,
        n[26] != 0, n[27] != 0, n[28] != 0, n[29] != 0, n[30] != 0, n[31] != 0, d[0], d[1]};
    if (node.has_weights) {
      node.weight = sizes_of(weights[weight]);
      weight += n[25];
    }
    nodes.push_back(node);
  }
  return nodes;
}

// Split the tensors of all nodes with weights; column 25 of `table` is how many each has.
std::vector<Weights> weights_from(const Tensor& table, const std::vector<Tensor>& flat) {
  std::vector<Weights> weights;
  auto next = flat.begin();
  for (int64_t i = 0; i < table.size(0); ++i) {
    const int64_t count = integers(table)[32 * i + 25];
    if (count) weights.emplace_back(next, next + count);
    next += count;
  }
  return weights;
}

// `parts` has for each part: number of nodes, nodes, first row, rows (0 for all), whether it has
// the bias; `tensors` what lies in it of weights, momentum buffers and, if predicted, weights ahead.
std::vector<Part> parts_from(const Tensor& table, const std::vector<Tensor>& tensors, bool ahead) {
  std::vector<Part> parts;
  const int64_t* n = integers(table);
  const int64_t* last = n + table.numel();
  auto next = tensors.begin();
  while (n < last) {
    Part part;
    part.nodes.assign(n + 1, n + 1 + n[0]);
    n += 1 + n[0];
    part.first = n[0];
    part.count = n[1];
    part.has_bias = n[2] != 0;
    const int64_t count = n[3];
    n += 4;
    part.weights.assign(next, next + count);
    part.momentum_buffers.assign(next + count, next + 2 * count);
    next += 2 * count;
    if (ahead) {
      part.ahead.assign(next, next + count);
      next += count;
    }
    parts.push_back(part);
  }
  return parts;
}

int64_t open(
    Tensor nodes,
    Tensor node_numbers,
    std::vector<Tensor> weights,
    std::vector<Tensor> ahead,
    Tensor parts,
    std::vector<Tensor> part_tensors,
    bool predicts,
    std::vector<Tensor> images,
    Tensor labels,
    std::vector<Tensor> plans,
    std::vector<int64_t> cache,
    int64_t metric,
    double threshold,
    double target,
    int64_t seed) {
  std::vector<Plan> made;
  for (size_t i = 0; i < plans.size(); i += 3) {
    made.emplace_back(
        integers(plans[i]), plans[i].size(0), integers(plans[i + 1]), plans[i + 1].size(0),
        integers(plans[i + 2])[0]);
  }
  std::unique_ptr<Cache> made_cache;
  if (!cache.empty()) made_cache = std::make_unique<Cache>(cache[0], cache[1], cache[2]);
  auto runtime = std::make_shared<Runtime>(
      nodes_from(nodes, node_numbers, weights), weights_from(nodes, weights),
      weights_from(nodes, ahead),
      parts_from(parts, part_tensors, predicts), Images{images[0], images[1], images[2]}, labels,
      std::move(made_cache), Gate{static_cast<Metric>(metric), threshold, target},
      std::move(made), seed);
  const std::lock_guard<std::mutex> guard(registry_lock);
  registry[next_handle] = std::move(runtime);
  return next_handle++;
}

void serve(int64_t handle) {
  const auto runtime = found(handle);
  if (runtime) runtime->serve();  // else it was closed before the thread had begun
}

void close(int64_t handle) {
  runtime_of(handle)->close();
  const std::lock_guard<std::mutex> guard(registry_lock);
  registry.erase(handle);
}

// Let the tasks of a plan be executed by these priorities, the largest first.
void prioritise(int64_t handle, int64_t plan, Tensor priorities) {
  auto& tasks = runtime_of(handle)->plans()[plan].tasks;
  for (size_t i = 0; i < tasks.size(); ++i) tasks[i].priority = doubles(priorities)[i];
}

void append(std::vector<float>& to, const Tensor& tensor) {
  const auto* from = static_cast<const float*>(tensor.data_ptr());
  to.insert(to.end(), from, from + tensor.numel());
}

template <typename Item>
Tensor tensor_from(
    const std::vector<Item>& items, const Sizes& sizes, torch::headeronly::ScalarType type) {
  Tensor tensor = torch::stable::empty(sizes, type);
  std::memcpy(tensor.data_ptr(), items.data(), items.size() * sizeof(Item));
  return tensor;
}

// Execute steps; stop after one whose mean loss is not finite.
//
// `index` has the samples of each step, int64 [steps, batch]; `params` seven numbers of each step,
// float64: learning rate, momentum, weight decay, whether Nesterov's, distance, whether a warm-up,
// and which step it is.
// Returns losses [done, batch], softmax [done, batch, classes], whether samples were accepted
// [done, batch], times [done, 2] and spans [spans, 6]: step, engine, what, node, started, ended.
std::vector<Tensor> advance(int64_t handle, Tensor index, Tensor params) {
  const auto runtime = runtime_of(handle);
  const int64_t steps = index.size(0), batch = index.size(1);
  std::vector<std::array<double, 6>> spans;
  std::vector<float> losses, softmax;
  std::vector<char> accepted;
  std::vector<double> times;
  int64_t classes = 0;
  for (int64_t i = 0; i < steps; ++i) {
    const double* p = doubles(params) + 7 * i;
    runtime->step(
        integers(index) + i * batch, batch, StepParams{p[0], p[1], p[2], p[3], p[4]}, p[5] != 0,
        static_cast<int64_t>(p[6]));
    Values& values = runtime->values();
    double sum = 0;
    for (const Rows rows : {Rows::kBatch, Rows::kHalf0, Rows::kHalf1}) {
      const auto& one = values.losses[static_cast<size_t>(rows)];
      if (!one) continue;
      const Tensor& of_rows = *values.saved(rows, runtime->loss());
      classes = of_rows.size(1);
      append(losses, *one);
      append(softmax, of_rows);
      for (auto loss = losses.end() - one->numel(); loss != losses.end(); ++loss) sum += *loss;
    }
    for (int64_t j = 0; j < batch; ++j) {
      accepted.push_back(runtime->plan().speculates && values.accepted[j]);
    }
    times.push_back(runtime->started());
    times.push_back(runtime->ended());
    for (const auto& of_engine : runtime->spans()) {
      for (const Span& span : of_engine) {
        spans.push_back(
            {static_cast<double>(i), static_cast<double>(span.engine),
             static_cast<double>(static_cast<int64_t>(span.what)), static_cast<double>(span.node),
             span.started, span.ended});
      }
    }
    if (!std::isfinite(sum)) break;
  }
  using Type = torch::headeronly::ScalarType;
  const int64_t done = static_cast<int64_t>(times.size()) / 2;
  return {
      tensor_from(losses, {done, batch}, Type::Float),
      tensor_from(softmax, {done, batch, classes}, Type::Float),
      tensor_from(accepted, {done, batch}, Type::Bool), tensor_from(times, {done, 2}, Type::Double),
      tensor_from(spans, {static_cast<int64_t>(spans.size()), 6}, Type::Double)};
}

Tensor integers_from(const std::vector<int64_t>& numbers) {
  return tensor_from(
      numbers, {static_cast<int64_t>(numbers.size())}, torch::headeronly::ScalarType::Long);
}

void append_slots(
    const std::map<Slot, Tensor>& slots, std::vector<int64_t>& names, std::vector<Tensor>& to) {
  for (const auto& [slot, rows] : slots) {
    names.push_back(slot.first);
    names.push_back(static_cast<int64_t>(slot.second));
    to.push_back(rows);
  }
}

std::map<Slot, Tensor> slots_from(const Tensor& names, const Tensor* rows) {
  std::map<Slot, Tensor> slots;
  const int64_t* n = integers(names);
  for (int64_t i = 0; i < names.numel(); i += 2, ++rows) {
    slots.emplace(Slot(n[i], static_cast<Name>(n[i + 1])), *rows);
  }
  return slots;
}

// What the runtime remembers: numbers of the cache, nodes and names of its slots, those of put-off
// samples, their labels; then all of these tensors.
std::vector<Tensor> state(int64_t handle) {
  const auto runtime = runtime_of(handle);
  std::vector<int64_t> cached, put_off;
  std::vector<Tensor> tensors;
  if (runtime->cache()) append_slots(runtime->cache()->slots(), cached, tensors);
  append_slots(runtime->put_off, put_off, tensors);
  std::vector<Tensor> found = {
      integers_from(runtime->cache() ? runtime->cache()->numbers() : std::vector<int64_t>()),
      integers_from(cached), integers_from(put_off), integers_from(runtime->put_off_labels)};
  found.insert(found.end(), tensors.begin(), tensors.end());
  return found;
}

void restore(int64_t handle, std::vector<Tensor> state) {
  const auto runtime = runtime_of(handle);
  const Tensor* rows = state.data() + 4;
  if (runtime->cache()) {
    runtime->cache()->restore(
        integers(state[0]), state[0].numel(), slots_from(state[1], rows));
  }
  runtime->put_off = slots_from(state[2], rows + state[1].numel() / 2);
  const int64_t* labels = integers(state[3]);
  runtime->put_off_labels.assign(labels, labels + state[3].numel());
}

double threshold(int64_t handle) { return runtime_of(handle)->gate().threshold; }

void set_threshold(int64_t handle, double threshold) {
  runtime_of(handle)->gate().threshold = threshold;
}

void smooth_labels(int64_t handle, double smoothing) {
  runtime_of(handle)->label_smoothing = smoothing;
}

void augment(int64_t handle, Tensor places, Tensor levels, int64_t crop, int64_t cutout) {
  runtime_of(handle)->augment(Augmentation{places, levels, crop, cutout, 0});
}

}  // namespace specbp

STABLE_TORCH_LIBRARY(specbp, library) {
  library.def(
      "open(Tensor nodes, Tensor node_numbers, Tensor[] weights, Tensor[] ahead, Tensor parts, Tensor[] part_tensors, "
      "bool predicts, Tensor[] images, Tensor labels, Tensor[] plans, int[] cache, int metric, "
      "float threshold, float target, int seed) -> int");
  library.def("serve(int handle) -> ()");
  library.def("close(int handle) -> ()");
  library.def("prioritise(int handle, int plan, Tensor priorities) -> ()");
  library.def("advance(int handle, Tensor index, Tensor params) -> Tensor[]");
  library.def("state(int handle) -> Tensor[]");
  library.def("restore(int handle, Tensor[] state) -> ()");
  library.def("threshold(int handle) -> float");
  library.def("set_threshold(int handle, float threshold) -> ()");
  library.def("smooth_labels(int handle, float smoothing) -> ()");
  library.def("augment(int handle, Tensor places, Tensor levels, int crop, int cutout) -> ()");
}

STABLE_TORCH_LIBRARY_IMPL(specbp, CompositeExplicitAutograd, library) {
  library.impl("open", TORCH_BOX(&specbp::open));
  library.impl("serve", TORCH_BOX(&specbp::serve));
  library.impl("close", TORCH_BOX(&specbp::close));
  library.impl("prioritise", TORCH_BOX(&specbp::prioritise));
  library.impl("advance", TORCH_BOX(&specbp::advance));
  library.impl("state", TORCH_BOX(&specbp::state));
  library.impl("restore", TORCH_BOX(&specbp::restore));
  library.impl("threshold", TORCH_BOX(&specbp::threshold));
  library.impl("set_threshold", TORCH_BOX(&specbp::set_threshold));
  library.impl("smooth_labels", TORCH_BOX(&specbp::smooth_labels));
  library.impl("augment", TORCH_BOX(&specbp::augment));
}
