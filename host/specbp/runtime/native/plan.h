// A plan as `specbp.runtime.native` encodes it: the words of `specbp.plan.tasks`, as numbers in the
// order in which they stand there.

#pragma once

#include <cstdint>
#include <vector>

namespace specbp {

enum class What : int64_t {
  kLoad, kForward, kLookup, kRefresh, kGate, kInputGrad, kRedo, kWeightGrad, kReduceGrad, kUpdate,
  kCommit, kWait
};

enum class Rows : int64_t {
  kBatch, kHalf0, kHalf1, kCached, kMerged, kAccepted, kRejected, kRejected0, kRejected1, kKept,
  kDeferred, kCount
};

enum class When : int64_t { kAlways, kHit, kRejected, kDeferred };

struct Task {
  What what;
  int64_t node;
  int64_t engine;  // -1 for any
  Rows rows, inputs;
  When when;
  double priority;  // the ready task with the largest one is executed first
  std::vector<int64_t> followers;
  int64_t needs;  // how many
};

struct Plan {
  std::vector<Task> tasks;
  int64_t engines;
  bool speculates, commits, defers;

  // `table` has six numbers for each task, engine -1 for any;
  // `needs` has pairs of a task and one that it needs.
  Plan(const int64_t* table, int64_t count, const int64_t* needs, int64_t pairs, int64_t engines_)
      : engines(engines_), speculates(false), commits(false), defers(false) {
    for (int64_t i = 0; i < count; ++i, table += 6) {
      const Task task = {
          static_cast<What>(table[0]), table[1], table[2], static_cast<Rows>(table[3]),
          static_cast<Rows>(table[4]), static_cast<When>(table[5]), -static_cast<double>(i), {}, 0};
      speculates |= task.rows == Rows::kCached;
      commits |= task.what == What::kCommit;
      defers |= task.rows == Rows::kDeferred;
      tasks.push_back(task);
    }
    for (int64_t i = 0; i < pairs; ++i, needs += 2) {
      ++tasks[needs[0]].needs;
      tasks[needs[1]].followers.push_back(needs[0]);
    }
  }
};

}  // namespace specbp
