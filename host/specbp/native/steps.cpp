// Training steps on one or two engines without Python between their passes: the steps of
// `specbp.schedules.sequential`, `.data_parallel` and, on a cached batch, `.speculative`, by the
// same kernels and to the same bits. Between two passes Python takes 40 us and pushes out of the
// caches what they need; to wake a thread takes 100 us, so an engine without work looks again at
// once, for a while.

#include <ATen/Parallel.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/utils/pybind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace py = pybind11;

using at::Tensor;
using torch::jit::StrongFunctionPtr;
using Tensors = std::vector<Tensor>;
using Gradients = std::vector<std::pair<Tensor, Tensor>>;  // weight and bias of each layer

namespace {

// So long an engine that waits for a step looks for it, before it sleeps.
constexpr auto kPatience = std::chrono::milliseconds(1);

double now() {  // as Python's time.perf_counter
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

void append(Tensors& to, const Tensors& more) { to.insert(to.end(), more.begin(), more.end()); }

Tensors call(const StrongFunctionPtr& function, const Tensors& arguments) {
  torch::jit::Stack stack(arguments.begin(), arguments.end());
  function.function_->run(stack);
  Tensors results;
  const auto tuple = stack.back().toTuple();
  for (const auto& one : tuple->elements()) results.push_back(one.toTensor());
  return results;
}

// `specbp.memory_order.in_memory_order`
Tensor in_memory_order(const Tensor& one) {
  const bool channels_together = one.dim() == 4 &&
      one.is_contiguous(at::MemoryFormat::ChannelsLast) && !one.is_contiguous();
  return channels_together ? one.permute({0, 2, 3, 1}) : one;
}

// `specbp.schedules.chain.RecordedPasses`
struct Passes {
  StrongFunctionPtr forward, deltas;
  std::vector<StrongFunctionPtr> weight_gradients;
};

// The weights that passes read, flat; they stay where they are. Forward reads those ahead.
struct Weights {
  Tensors current, ahead;
};

// `specbp.arithmetic.float32.PlainPart`, and where prediction writes, if there is one.
struct Part {
  std::vector<int> layers;
  std::optional<std::pair<int64_t, int64_t>> rows;
  bool has_bias;
  Tensors weights, momenta, ahead;

  // Return what lies in the part, of a pair of weight and bias for each layer.
  Tensors of(const Gradients& pairs) const {
    Tensors found;
    for (const int layer : layers) {
      const auto& [weight, bias] = pairs[layer];
      found.push_back(
          rows ? weight.slice(0, rows->first, rows->second) : in_memory_order(weight));
      if (has_bias) found.push_back(bias);
    }
    return found;
  }
};

// `specbp.arithmetic.Numbers`
struct Numbers {
  double learning_rate, momentum, weight_decay;
  bool nesterov;
  double distance;
};

enum Phase { kForward, kInputGradient, kWeightGradient, kUpdate, kWait };

// An engine did a phase, of the layer at this position among those with weights or of none (-1).
using Span = std::tuple<int, int, int, double, double>;

class SpinLock {
 public:
  void lock() {
    while (taken_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { taken_.clear(std::memory_order_release); }

 private:
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
};

// Engine 1: a thread that does what it is given, once at a time.
class Engine {
 public:
  explicit Engine(int threads) {
    thread_ = std::thread([this, threads] { serve(threads); });
  }

  ~Engine() {
    {
      const std::lock_guard<std::mutex> guard(sleeping_);
      has_ended_ = true;
    }
    has_work_.notify_one();
    const py::gil_scoped_release release;  // `tidy` may need it
    thread_.join();
  }

  // `tidy` is done after `work`, when the engine counts as free.
  void start(std::function<void()> work, std::function<void()> tidy) {
    work_ = std::move(work);
    tidy_ = std::move(tidy);
    {
      const std::lock_guard<std::mutex> guard(sleeping_);
      is_tidy_ = false;
      is_at_work_ = true;
    }
    has_work_.notify_one();
  }

  bool is_at_work() const { return is_at_work_.load(std::memory_order_acquire); }
  bool is_tidy() const { return is_tidy_.load(std::memory_order_acquire); }

 private:
  void serve(int threads) {
    at::set_num_threads(threads);
    at::get_num_threads();  // settles it for this thread
    while (true) {
      const auto patient_until = std::chrono::steady_clock::now() + kPatience;
      while (!is_at_work() && !has_ended_) {
        if (std::chrono::steady_clock::now() < patient_until) {
          std::this_thread::yield();
        } else {
          std::unique_lock<std::mutex> guard(sleeping_);
          has_work_.wait(guard, [this] { return is_at_work() || has_ended_; });
        }
      }
      if (has_ended_) return;
      work_();
      is_at_work_.store(false, std::memory_order_release);
      tidy_();
      is_tidy_.store(true, std::memory_order_release);
    }
  }

  std::thread thread_;
  std::mutex sleeping_;
  std::condition_variable has_work_;
  std::function<void()> work_, tidy_;
  std::atomic<bool> is_at_work_{false}, is_tidy_{true}, has_ended_{false};
};

class Steps {
 public:
  // `passes` are those of whole batches; of the halves of a batch, there are two.
  Steps(
      std::vector<Passes> passes,
      Weights weights,
      std::vector<Part> parts,
      bool balanced,
      int threads)
      : passes_(std::move(passes)),
        weights_(std::move(weights)),
        parts_(std::move(parts)),
        balanced_(balanced),
        layers_(static_cast<int>(passes_[0].weight_gradients.size())),
        costs_(layers_, 0.0),
        engine_1_(threads) {}

  // Do a step on the caller's engine alone. Returns losses and softmax, as the other steps do.
  std::pair<Tensor, Tensor> alone(Tensor images, Tensor labels, const Numbers& numbers) {
    settle();
    reset(1);
    const py::gil_scoped_release release;
    numbers_ = numbers;
    guarded([&] {
      run_forward(0, std::move(images), labels);
      cached_labels_ = labels_[0];
      cached_ = results_[0];
      propagate(0);
      work(0, true);
    });
    cached_.clear();
    deltas_.clear();
    if (error_) std::rethrow_exception(error_);
    return {results_[0][0], results_[0][1]};
  }

  // Let engine 1 begin with the outcome of the last step: propagate deltas, then do weight
  // gradients. `replay` must follow.
  void begin() {
    settle();
    cached_labels_ = labels_[0];
    cached_ = std::move(results_[0]);
    reset(1);
    engine_1_.start(
        [this] {
          guarded([this] {
            propagate(1);
            work(1, true);
          });
        },
        [this] {  // beside what the caller does next: to give memory back takes time
          deltas_.clear();
          cached_.clear();
        });
  }

  // The same with an outcome as `outcome` returns it.
  void begin_with(Tensor labels, Tensors results) {
    labels_[0] = std::move(labels);
    results_[0] = std::move(results);
    begin();
  }

  // Do the forward of the batch on the caller's engine, and its share of the rest.
  std::pair<Tensor, Tensor> replay(Tensor images, Tensor labels, const Numbers& numbers) {
    const py::gil_scoped_release release;
    numbers_ = numbers;
    guarded([&] {
      run_forward(0, std::move(images), std::move(labels));
      work(0, balanced_);
    });
    wait_until(0, [this] { return !engine_1_.is_at_work(); });
    if (error_) std::rethrow_exception(error_);
    return {results_[0][0], results_[0][1]};
  }

  // Do a step whose batch is split over the engines.
  std::pair<Tensor, Tensor> halves(
      const std::array<Tensor, 2>& images,
      const std::array<Tensor, 2>& labels,
      const Numbers& numbers) {
    settle();
    reset(2);
    const py::gil_scoped_release release;
    numbers_ = numbers;
    const auto half = [&](int engine) {
      guarded([&, engine] {
        run_forward(engine, images[engine], labels[engine]);
        differentiate_own(engine);
        work(engine, false);
      });
    };
    engine_1_.start([&] { half(1); }, [] {});
    half(0);
    wait_until(0, [this] { return !engine_1_.is_at_work(); });
    if (error_) std::rethrow_exception(error_);
    return {
        at::cat({results_[0][0], results_[1][0]}), at::cat({results_[0][1], results_[1][1]})};
  }

  // Of the last step, until the next one begins: labels and what the forward gave (losses, softmax,
  // masks, inputs of layers with weights), gradients, and spans.
  std::pair<Tensor, Tensors> outcome() const { return {labels_[0], results_[0]}; }
  const Gradients& gradients() const { return gradients_[0]; }
  const std::vector<Span>& spans() const { return spans_; }

 private:
  struct Task {
    Phase phase;
    int number;  // of the layer or the part
  };

  const Passes& passes_of(int engine) const {
    return passes_[std::min<size_t>(engine, passes_.size() - 1)];
  }

  // Wait until engine 1 has nothing to do any more, which may take Python's global lock.
  void settle() {
    if (engine_1_.is_tidy()) return;
    const py::gil_scoped_release release;
    while (!engine_1_.is_tidy()) std::this_thread::yield();
  }

  // Forget the last step. Each gradient will be the sum of so many.
  void reset(int summands) {
    for (auto& one : gradients_) one.assign(layers_, {});
    summands_ = summands;
    left_.clear();
    ready_.clear();
    spans_.clear();
    waiting_for_.clear();
    for (const auto& part : parts_) {
      waiting_for_.push_back(summands * static_cast<int>(part.layers.size()));
    }
    updates_left_ = static_cast<int>(parts_.size());
    forwards_left_ = summands;
    deltas_are_there_ = summands == 2;  // there are none to be shared
    error_ = nullptr;
  }

  void run_forward(int engine, Tensor images, Tensor labels) {
    labels_[engine] = labels;
    Tensors arguments = {std::move(images), std::move(labels)};
    append(arguments, weights_.ahead);
    results_[engine] = timed(
        engine, kForward, -1, [&] { return call(passes_of(engine).forward, arguments); });
    const std::lock_guard<SpinLock> guard(lock_);
    --forwards_left_;
  }

  // Return the deltas of each layer with weights, in forward order.
  Tensors deltas_of(int engine, const Tensors& results, const Tensor& labels) {
    Tensors arguments = {results[1], labels};
    append(arguments, weights_.current);
    arguments.insert(arguments.end(), results.begin() + 2, results.end() - layers_);  // the masks
    auto found = timed(
        engine, kInputGradient, -1, [&] { return call(passes_of(engine).deltas, arguments); });
    std::reverse(found.begin(), found.end());
    return found;
  }

  // Make the deltas of the cached outcome, and with that the weight gradients that are to be done.
  void propagate(int engine) {
    auto found = deltas_of(engine, cached_, cached_labels_);
    const std::lock_guard<SpinLock> guard(lock_);
    deltas_ = std::move(found);
    for (int layer = 0; layer < layers_; ++layer) left_.push_back(layer);
    // The costliest comes last, and is taken first.
    std::stable_sort(
        left_.begin(), left_.end(), [this](int a, int b) { return costs_[a] < costs_[b]; });
    deltas_are_there_ = true;
  }

  // Do all of the backward of this engine's own forward.
  void differentiate_own(int engine) {
    const auto deltas = deltas_of(engine, results_[engine], labels_[engine]);
    for (int layer = 0; layer < layers_; ++layer) {
      differentiate(engine, layer, results_[engine], deltas[layer]);
    }
  }

  // Do tasks until there are no more for this engine.
  void work(int engine, bool takes_weight_gradients) {
    while (const auto task = next(engine, takes_weight_gradients)) {
      if (task->phase == kWeightGradient) {
        differentiate(engine, task->number, cached_, deltas_[task->number]);
      } else {
        update(engine, parts_[task->number]);
      }
    }
  }

  // Return the next task, and wait for it if need be; nothing when there will be no more.
  std::optional<Task> next(int engine, bool takes_weight_gradients) {
    std::optional<Task> task;
    wait_until(engine, [&] {
      const std::lock_guard<SpinLock> guard(lock_);
      if (error_ || (deltas_are_there_ && left_.empty() && !updates_left_)) return true;
      if (deltas_are_there_ && !left_.empty() && takes_weight_gradients) {
        task = Task{kWeightGradient, left_.back()};
        left_.pop_back();
      } else if (!forwards_left_ && !ready_.empty()) {  // forward reads the weights
        task = Task{kUpdate, ready_.front()};
        ready_.pop_front();
        --updates_left_;
      }
      return task.has_value();
    });
    return task;
  }

  void differentiate(int engine, int layer, const Tensors& results, const Tensor& delta) {
    const auto& x = results[results.size() - layers_ + layer];
    const double started = now();
    auto found = timed(engine, kWeightGradient, layer, [&] {
      return call(passes_of(engine).weight_gradients[layer], {x, delta});
    });
    const std::lock_guard<SpinLock> guard(lock_);
    costs_[layer] = now() - started;
    gradients_[summands_ == 2 ? engine : 0][layer] = {found[0], found[1]};
    for (size_t part = 0; part < parts_.size(); ++part) {
      const auto& layers = parts_[part].layers;
      if (std::find(layers.begin(), layers.end(), layer) != layers.end() && !--waiting_for_[part]) {
        ready_.push_back(static_cast<int>(part));
      }
    }
  }

  void update(int engine, const Part& part) {
    const int layer = part.layers.size() == 1 ? part.layers[0] : -1;
    timed(engine, kUpdate, layer, [&] {
      const auto gradients = part.of(gradients_[0]);
      if (summands_ == 2) {
        const auto more = part.of(gradients_[1]);
        for (size_t i = 0; i < more.size(); ++i) gradients[i].add_(more[i]);
      }
      at::_fused_sgd_(
          part.weights,
          gradients,
          numbers_.momentum != 0 ? part.momenta : Tensors(),
          numbers_.weight_decay,
          numbers_.momentum,
          numbers_.learning_rate,
          /*dampening=*/0.0,
          numbers_.nesterov,
          /*maximize=*/false,
          /*is_first_step=*/false);
      for (size_t i = 0; i < part.ahead.size(); ++i) {
        Tensor to = part.ahead[i];
        at::add_out(to, part.weights[i], part.momenta[i], -numbers_.distance);
      }
      return 0;
    });
  }

  template <typename Condition>
  void wait_until(int engine, Condition condition) {
    if (condition()) return;
    const double started = now();
    while (!condition()) std::this_thread::yield();
    record(engine, kWait, -1, started);
  }

  template <typename Work>
  std::invoke_result_t<Work> timed(int engine, Phase phase, int layer, Work work) {
    const double started = now();
    auto result = work();
    record(engine, phase, layer, started);
    return result;
  }

  void record(int engine, Phase phase, int layer, double started) {
    const double ended = now();
    const std::lock_guard<SpinLock> guard(lock_);
    spans_.emplace_back(engine, phase, layer, started, ended);
  }

  // Do an engine's part of a step; an error ends that of the other too, and is kept.
  template <typename Work>
  void guarded(Work work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard<SpinLock> guard(lock_);
      if (!error_) error_ = std::current_exception();
    }
  }

  const std::vector<Passes> passes_;
  const Weights weights_;
  const std::vector<Part> parts_;
  const bool balanced_;
  const int layers_;  // with weights

  // Of the step in progress, what it is given
  Tensor cached_labels_;
  Tensors cached_;  // a forward's results
  Numbers numbers_{};
  int summands_ = 1;
  // and what both engines change, each holding the lock.
  SpinLock lock_;
  Tensors deltas_;
  std::vector<int> left_;         // layers whose weight gradient nobody has taken
  std::vector<int> waiting_for_;  // of each part, how many gradients it lacks
  std::deque<int> ready_;         // parts that lack none
  int updates_left_ = 0;          // that nobody has taken
  int forwards_left_ = 0;
  bool deltas_are_there_ = false;
  std::exception_ptr error_;
  std::array<Tensor, 2> labels_;
  std::array<Tensors, 2> results_;
  std::array<Gradients, 2> gradients_;
  std::vector<Span> spans_;
  std::vector<double> costs_;  // s, of each weight gradient when it was last done

  Engine engine_1_;  // the last member, so that it ends before what it uses
};

}  // namespace

PYBIND11_MODULE(steps, module) {
  using py::arg;
  py::class_<Passes>(module, "Passes")
      .def(
          py::init([](const StrongFunctionPtr& forward,
                      const StrongFunctionPtr& deltas,
                      std::vector<StrongFunctionPtr> weight_gradients) {
            return Passes{forward, deltas, std::move(weight_gradients)};
          }),
          arg("forward"),
          arg("deltas"),
          arg("weight_gradients"));
  py::class_<Weights>(module, "Weights")
      .def(
          py::init([](Tensors current, Tensors ahead) { return Weights{current, ahead}; }),
          arg("current"),
          arg("ahead"));
  py::class_<Part>(module, "Part")
      .def(
          py::init([](std::vector<int> layers,
                      std::optional<std::pair<int64_t, int64_t>> rows,
                      bool has_bias,
                      Tensors weights,
                      Tensors momenta,
                      Tensors ahead) {
            return Part{layers, rows, has_bias, weights, momenta, ahead};
          }),
          arg("layers"),
          arg("rows"),
          arg("has_bias"),
          arg("weights"),
          arg("momenta"),
          arg("ahead"));
  py::class_<Numbers>(module, "Numbers")
      .def(
          py::init([](double rate, double momentum, double decay, bool nesterov, double distance) {
            return Numbers{rate, momentum, decay, nesterov, distance};
          }),
          arg("learning_rate"),
          arg("momentum"),
          arg("weight_decay"),
          arg("nesterov"),
          arg("distance"));
  py::class_<Steps>(module, "Steps")
      .def(
          py::init<std::vector<Passes>, Weights, std::vector<Part>, bool, int>(),
          arg("passes"),
          arg("weights"),
          arg("parts"),
          arg("balanced"),
          arg("threads"))
      .def("alone", &Steps::alone)
      .def("begin", &Steps::begin)
      .def("begin_with", &Steps::begin_with)
      .def("replay", &Steps::replay)
      .def("halves", &Steps::halves)
      .def("outcome", &Steps::outcome)
      .def("gradients", &Steps::gradients)
      .def("spans", &Steps::spans);
}
