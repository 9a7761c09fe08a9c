// The cache: for each key, what the forward of the last sample with that key saved; see
// `specbp.runtime.cache`.

#pragma once

#include "operations.h"

#include <map>
#include <mutex>
#include <utility>

namespace specbp {

enum class Name : int64_t { kInput, kSaved };
using Slot = std::pair<int64_t, Name>;  // node and name

class Cache {
 public:
  // `keys` is 0 for the key `batch`; `max_age` is 0 for never.
  Cache(int64_t keys, int64_t offset, int64_t max_age)
      : keys_(keys), offset_(offset), max_age_(max_age), stored_at_(keys, -1), labels_(keys, 0) {}

  bool is_batch() const { return !keys_; }

  // For each sample whether its key has a saved forward of use.
  std::vector<char> hits(const std::vector<int64_t>& labels) const {
    if (is_batch()) return std::vector<char>(labels.size(), !slots_.empty());
    const int64_t oldest = max_age_ ? std::max<int64_t>(0, step_ - max_age_) : 0;
    std::vector<char> found;
    for (const int64_t label : labels) found.push_back(stored_at_[looked_up(label)] >= oldest);
    return found;
  }

  std::vector<int64_t> labels_of(const std::vector<int64_t>& labels) const {
    if (is_batch()) return labels_;
    std::vector<int64_t> found;
    for (const int64_t label : labels) found.push_back(labels_[looked_up(label)]);
    return found;
  }

  Tensor lookup(Slot slot, const std::vector<int64_t>& labels) const {
    const Tensor& rows = slots_.at(slot);
    if (is_batch()) return rows;
    std::vector<int64_t> index;
    for (const int64_t label : labels) index.push_back(looked_up(label));
    return rows_of(rows, index);
  }

  // Engines commit different slots at the same time.
  void commit(Slot slot, const std::vector<int64_t>& labels, const Tensor& given) {
    const Tensor& slots = made(slot, given);
    const Tensor rows = formatted_like(given, slots);
    const size_t bytes = row_bytes(rows);
    for (size_t i = 0; i < labels.size(); ++i) {
      if (is_last_[i]) {
        std::memcpy(row(slots, labels[i] % keys_, bytes), row(rows, i, bytes), bytes);
      }
    }
  }

  void begin_step(const std::vector<int64_t>& labels) {
    is_last_.assign(labels.size(), 1);
    if (is_batch()) return;
    for (size_t i = 0; i < labels.size(); ++i) {
      for (size_t j = i + 1; j < labels.size(); ++j) {
        if (labels[i] % keys_ == labels[j] % keys_) is_last_[i] = 0;
      }
    }
  }

  void end_step(const std::vector<int64_t>& labels, std::map<Slot, Tensor> saved) {
    if (is_batch()) {
      slots_ = std::move(saved);
      labels_ = labels;
      return;
    }
    for (const int64_t label : labels) {
      stored_at_[label % keys_] = step_;
      labels_[label % keys_] = label;
    }
    ++step_;
  }

  // What is needed to go on later: numbers, and the slots in the order of their nodes and names.
  std::vector<int64_t> numbers() const {
    std::vector<int64_t> found = {step_};
    found.insert(found.end(), stored_at_.begin(), stored_at_.end());
    found.insert(found.end(), labels_.begin(), labels_.end());
    return found;
  }

  const std::map<Slot, Tensor>& slots() const { return slots_; }

  void restore(const int64_t* numbers, int64_t count, std::map<Slot, Tensor> slots) {
    step_ = numbers[0];
    stored_at_.assign(numbers + 1, numbers + 1 + keys_);
    labels_.assign(numbers + 1 + keys_, numbers + count);
    slots_ = std::move(slots);
  }

 private:
  const Tensor& made(Slot slot, const Tensor& rows) {
    const std::lock_guard<std::mutex> guard(making_);
    const auto found = slots_.find(slot);
    if (found != slots_.end()) return found->second;
    const Tensor slots = empty_rows(rows, keys_);
    std::memset(slots.data_ptr(), 0, slots.numel() * slots.element_size());
    return slots_.emplace(slot, slots).first->second;
  }

  int64_t looked_up(int64_t label) const { return (label + offset_) % keys_; }

  const int64_t keys_, offset_, max_age_;
  int64_t step_ = 0;
  std::vector<int64_t> stored_at_, labels_;
  std::vector<char> is_last_;
  std::map<Slot, Tensor> slots_;
  std::mutex making_;
};

}  // namespace specbp
