// The memory behind the overlay's AXI4 ports: one DDR through Zynq-7000 HP ports, as far as time
// goes.
//
// Each port answers its bursts in order. Read data come `read_latency` cycles after their request,
// a write is acknowledged `write_latency` cycles after its last beat, and all reads and writes of
// all ports share `bytes_per_cycle`. Ports that want more than there is get it in turns: who is
// asked first changes from cycle to cycle. That is all the contention there is: that the rows of
// the DDR are opened more often when two streams meet is part of `bytes_per_cycle`, or not at all.
// Written bytes become visible when the write is acknowledged, no sooner: who does not wait for
// the acknowledgement reads old data, as may happen on a board. A write that AWCACHE calls bufferable
// may be acknowledged before: with `buffered_latency` it is, at once, and becomes visible to other
// ports that many cycles later. Its own port sees it: what a port asks for passes what it wrote.
// What AXI forbids and a port cannot take is counted in `violations`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace specbp {

constexpr int kBeatBytes = 8;
constexpr int kLongestBurst = 16;
constexpr int64_t kMostCredit = 2 * kLongestBurst * kBeatBytes * 256;

struct Timing {
  uint32_t read_latency = 1;
  uint32_t write_latency = 1;
  uint32_t bytes_per_cycle_x256 = 16 * 256;  // fixed point, 8 fractional bits
  uint32_t outstanding = 8;  // bursts the port accepts, each direction; at most kMostOutstanding
  uint32_t stall_x256 = 0;                   // chance of each channel to pause in a cycle, / 256
  uint64_t seed = 1;
  uint32_t buffered_latency = 0;  // of bufferable writes, until others see them; 0: as all writes
  bool all_bufferable = false;    // whatever AWCACHE says
};

// An address range that answers with an error, or (kHang) not at all.
struct Fault {
  uint64_t first, last;
  uint32_t response;
};
constexpr uint32_t kHang = 4;
constexpr uint32_t kDecodeError = 3;

// A queue of at most kMostOutstanding items: faster than std::deque.
constexpr uint32_t kMostOutstanding = 64;
template <typename Item>
class Ring {
 public:
  bool empty() const { return first_ == last_; }
  uint32_t size() const { return last_ - first_; }
  Item& front() { return items_[first_ % kMostOutstanding]; }
  Item& add() { return items_[last_++ % kMostOutstanding]; }
  void pop() { ++first_; }
  void clear() { first_ = last_ = 0; }

 private:
  std::array<Item, kMostOutstanding> items_;
  uint32_t first_ = 0, last_ = 0;
};

// What the ports share.
class Memory {
 public:
  Memory(uint8_t* bytes, uint64_t base, uint64_t size) : bytes_(bytes), base_(base), size_(size) {}

  Timing timing;
  std::vector<Fault> faults;
  uint64_t violations = 0;

  void clear(uint64_t now) {
    credit_ = 0;
    refilled_ = now;
  }

  // The shares of the bandwidth since it was called last; unused ones are kept for a while.
  void refill(uint64_t now) {
    const uint64_t share = (now - refilled_) * timing.bytes_per_cycle_x256;
    credit_ = std::min<int64_t>(credit_ + share, kMostCredit);
    refilled_ = now;
  }
  bool has_beat() const { return credit_ >= kBeatBytes * 256; }
  void take_beat() { credit_ -= kBeatBytes * 256; }

  uint32_t response_at(uint64_t address) const {
    for (const Fault& fault : faults)
      if (address + kBeatBytes > fault.first && address <= fault.last) return fault.response;
    return address >= base_ && address + kBeatBytes <= base_ + size_ ? 0 : kDecodeError;
  }

  uint8_t* at(uint64_t address) { return bytes_ + (address - base_); }

 private:
  uint8_t* bytes_;
  uint64_t base_, size_;
  // Below zero where a beat was promised and another took its share meanwhile.
  int64_t credit_ = 0;
  uint64_t refilled_ = 0;
};

// One port. `Signals` gives references to the overlay's, by AXI's names; see harness.cpp.
template <typename Signals>
class Port {
 public:
  Port(Memory& memory, Signals signals, uint64_t number)
      : memory_(memory), timing_(memory.timing), top_(signals), number_(number) {}

  // Whether nothing is asked of it.
  bool rests() const { return reads_.empty() && writes_.empty() && buffered_.empty(); }

  // Whether nothing was asked in the last cycle either, and the overlay sees that.
  bool quiet() const { return quiet_; }

  void clear() {
    reads_.clear();
    writes_.clear();
    acknowledgements_.clear();
    buffered_.clear();
    read_beat_ = 0;
    read_shown_ = ack_shown_ = quiet_ = false;
    held_ = Held{};
    random_ = (timing_.seed + (number_ << 32)) * 0x9E3779B97F4A7C15ull + 1;
  }

  // What the overlay sees during its reset: no handshakes.
  void rest() {
    top_.arready() = top_.rvalid() = top_.awready() = top_.wready() = top_.bvalid() = 0;
    quiet_ = false;
  }

  // Sets the port's inputs for the cycle `now`.
  void drive(uint64_t now) {
    if (!quiet_) drive_busy(now);
  }

  // Takes what was handed over in the cycle `now`, before its clock edge.
  void sample(uint64_t now) {
    if (!quiet_ || top_.arvalid() | top_.awvalid() | top_.wvalid()) sample_busy(now);
  }

 private:
  // Apart from the above, so that a quiet cycle costs nothing but the question.
  __attribute__((noinline)) void drive_busy(uint64_t now) {
    memory_.refill(now);
    while (!buffered_.empty() && buffered_.front().due <= now) commit_buffered();
    if (idle() && !timing_.stall_x256) {
      top_.arready() = top_.awready() = 1;
      top_.wready() = top_.rvalid() = top_.bvalid() = 0;
      quiet_ = !held_.ar && !held_.aw && !held_.w;
      return;
    }
    top_.arready() = reads_.size() < timing_.outstanding && !stalls();
    top_.awready() = writes_.size() + acknowledgements_.size() < timing_.outstanding && !stalls();
    top_.wready() = has_open_write() && memory_.has_beat() && !stalls();
    show_read(now);
    show_acknowledgement(now);
  }

  __attribute__((noinline)) void sample_busy(uint64_t now) {
    quiet_ = false;
    check_held();
    if (top_.arvalid() && top_.arready()) take_read(now);
    if (top_.rvalid() && top_.rready()) finish_beat();
    if (top_.wvalid() && top_.wready()) take_beat(now);
    if (top_.awvalid() && top_.awready()) take_write();
    if (top_.bvalid() && top_.bready()) {
      acknowledgements_.pop();
      ack_shown_ = false;
    }
  }

  struct Read {
    uint64_t address;
    int beats;
    uint64_t due;
  };
  struct Write {
    uint64_t address;
    int beats;
    int taken = 0;
    uint64_t due = 0;
    bool bufferable = false;
    uint64_t data[kLongestBurst];
    uint8_t strobes[kLongestBurst];
  };
  struct Held {  // what a channel showed without being taken: it must not change
    bool ar = false, aw = false, w = false;
    uint64_t araddr = 0, awaddr = 0, wdata = 0;
    uint32_t arlen = 0, awlen = 0, wstrb = 0;
  };

  bool stalls() {
    if (!timing_.stall_x256) return false;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return (random_ >> 32 & 0xFF) < timing_.stall_x256;
  }

  bool idle() const { return rests() && acknowledgements_.empty(); }
  bool has_open_write() const { return !writes_.empty(); }

  void check_burst(uint64_t address, uint32_t length, uint32_t size, uint32_t burst) {
    const uint64_t last = address + (length + 1) * kBeatBytes - 1;
    if (length >= kLongestBurst || size != 3 || burst != 1 || address % kBeatBytes ||
        address >> 12 != last >> 12)
      ++memory_.violations;
  }

  void take_read(uint64_t now) {
    check_burst(top_.araddr(), top_.arlen(), top_.arsize(), top_.arburst());
    const uint64_t jitter = timing_.stall_x256 ? random_ % (timing_.read_latency + 1) : 0;
    reads_.add() = {top_.araddr(), top_.arlen() + 1, now + timing_.read_latency + jitter};
  }

  void take_write() {
    check_burst(top_.awaddr(), top_.awlen(), top_.awsize(), top_.awburst());
    Write& write = writes_.add();
    write.address = top_.awaddr();
    write.beats = top_.awlen() % kLongestBurst + 1;
    write.taken = 0;
    write.bufferable = timing_.buffered_latency && (timing_.all_bufferable || top_.awcache() & 1);
  }

  void take_beat(uint64_t now) {
    Write& write = writes_.front();
    memory_.take_beat();
    write.data[write.taken] = top_.wdata();
    write.strobes[write.taken] = top_.wstrb();
    ++write.taken;
    if (bool(top_.wlast()) != (write.taken == write.beats)) ++memory_.violations;
    if (write.taken < write.beats) return;
    write.due = now + (write.bufferable ? 1 : timing_.write_latency);
    acknowledgements_.add() = write;
    writes_.pop();
  }

  void show_read(uint64_t now) {
    if (!read_shown_ && !reads_.empty() && reads_.front().due <= now && memory_.has_beat() &&
        !stalls()) {
      const Read& read = reads_.front();
      const uint64_t address = read.address + read_beat_ * kBeatBytes;
      const uint32_t response = memory_.response_at(address);
      while (!buffered_.empty()) commit_buffered();
      if (response != kHang) {
        memory_.take_beat();
        read_shown_ = true;
        top_.rresp() = response;
        top_.rlast() = read_beat_ + 1 == read.beats;
        uint64_t word = 0xDEADBEEFDEADBEEFull;
        if (!response) std::memcpy(&word, memory_.at(address), kBeatBytes);
        top_.rdata() = word;
      }
    }
    top_.rvalid() = read_shown_;
  }

  void finish_beat() {
    read_shown_ = false;
    if (++read_beat_ == reads_.front().beats) {
      reads_.pop();
      read_beat_ = 0;
    }
  }

  void show_acknowledgement(uint64_t now) {
    if (!ack_shown_ && !acknowledgements_.empty() && acknowledgements_.front().due <= now &&
        !stalls()) {
      const Write& write = acknowledgements_.front();
      const uint32_t response = write.bufferable ? buffer(write, now) : commit(write);
      if (response != kHang) {
        ack_shown_ = true;
        top_.bresp() = response;
      }
    }
    top_.bvalid() = ack_shown_;
  }

  // Keeps a write that is acknowledged already; where there is no room the oldest goes.
  uint32_t buffer(const Write& write, uint64_t now) {
    if (buffered_.size() == kMostOutstanding) commit_buffered();
    Write& kept = buffered_.add();
    kept = write;
    kept.due = now + timing_.buffered_latency;
    return 0;
  }

  void commit_buffered() {
    commit(buffered_.front());
    buffered_.pop();
  }

  // Makes a write visible; returns its response, the worst of its beats.
  uint32_t commit(const Write& write) {
    uint32_t worst = 0;
    for (int beat = 0; beat < write.beats; ++beat) {
      const uint64_t address = write.address + beat * kBeatBytes;
      const uint32_t response = memory_.response_at(address);
      if (response > worst) worst = response;
      if (response) continue;
      uint8_t* to = memory_.at(address);
      if (write.strobes[beat] == 0xFF) {
        std::memcpy(to, &write.data[beat], kBeatBytes);
        continue;
      }
      for (int byte = 0; byte < kBeatBytes; ++byte)
        if (write.strobes[beat] >> byte & 1) to[byte] = write.data[beat] >> 8 * byte;
    }
    return worst;
  }

  // A channel that is valid stays so, with the same payload, until it is taken.
  void check_held() {
    if (held_.ar && (!top_.arvalid() || top_.araddr() != held_.araddr ||
                     top_.arlen() != held_.arlen))
      ++memory_.violations;
    if (held_.aw && (!top_.awvalid() || top_.awaddr() != held_.awaddr ||
                     top_.awlen() != held_.awlen))
      ++memory_.violations;
    if (held_.w && (!top_.wvalid() || top_.wdata() != held_.wdata || top_.wstrb() != held_.wstrb))
      ++memory_.violations;
    held_ = Held{top_.arvalid() && !top_.arready(),
                 top_.awvalid() && !top_.awready(),
                 top_.wvalid() && !top_.wready(),
                 top_.araddr(),
                 top_.awaddr(),
                 top_.wdata(),
                 top_.arlen(),
                 top_.awlen(),
                 top_.wstrb()};
  }

  Memory& memory_;
  const Timing& timing_;
  Signals top_;
  uint64_t number_;
  Ring<Read> reads_;
  Ring<Write> writes_, acknowledgements_, buffered_;
  int read_beat_ = 0;
  bool read_shown_ = false, ack_shown_ = false;
  bool quiet_ = false;  // nothing is under way, and the inputs say so
  Held held_;
  uint64_t random_ = 1;
};

}  // namespace specbp
