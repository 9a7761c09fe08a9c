// The memory behind the overlay's AXI4 port: DDR through a Zynq-7000 HP port, as far as time goes.
//
// Bursts are answered in order. Read data come `read_latency` cycles after their request, a write
// is acknowledged `write_latency` cycles after its last beat, and both share `bytes_per_cycle`.
// Written bytes become visible when the write is acknowledged, no sooner: who does not wait for
// the acknowledgement reads old data, as may happen on a board.
// What AXI forbids and the port cannot take is counted in `violations`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace specbp {

constexpr int kBeatBytes = 8;
constexpr int kLongestBurst = 16;

struct Timing {
  uint32_t read_latency = 1;
  uint32_t write_latency = 1;
  uint32_t bytes_per_cycle_x256 = 16 * 256;  // fixed point, 8 fractional bits
  uint32_t outstanding = 8;  // bursts the port accepts, each direction; at most kMostOutstanding
  uint32_t stall_x256 = 0;                   // chance of each channel to pause in a cycle, / 256
  uint64_t seed = 1;
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

template <typename Top>
class Memory {
 public:
  Memory(uint8_t* bytes, uint64_t base, uint64_t size) : bytes_(bytes), base_(base), size_(size) {}

  Timing timing;
  std::vector<Fault> faults;
  uint64_t violations = 0;

  void clear() {
    reads_.clear();
    writes_.clear();
    acknowledgements_.clear();
    read_beat_ = 0;
    read_shown_ = ack_shown_ = false;
    held_ = Held{};
    credit_ = 0;
    random_ = timing.seed * 0x9E3779B97F4A7C15ull + 1;
  }

  // Sets the port's inputs for the cycle `now`.
  void drive(Top& top, uint64_t now) {
    credit_ += timing.bytes_per_cycle_x256;
    const uint32_t most = 2 * kLongestBurst * kBeatBytes * 256;
    if (credit_ > most) credit_ = most;
    top.m_axi_arready = reads_.size() < timing.outstanding && !stalls();
    top.m_axi_awready = writes_.size() + acknowledgements_.size() < timing.outstanding && !stalls();
    top.m_axi_wready = has_open_write() && credit_ >= kBeatBytes * 256 && !stalls();
    show_read(top, now);
    show_acknowledgement(top, now);
  }

  // Takes what was handed over in the cycle `now`, before its clock edge.
  void sample(Top& top, uint64_t now) {
    check_held(top);
    if (top.m_axi_arvalid && top.m_axi_arready) take_read(top, now);
    if (top.m_axi_rvalid && top.m_axi_rready) finish_beat();
    if (top.m_axi_wvalid && top.m_axi_wready) take_beat(top, now);
    if (top.m_axi_awvalid && top.m_axi_awready) take_write(top);
    if (top.m_axi_bvalid && top.m_axi_bready) {
      acknowledgements_.pop();
      ack_shown_ = false;
    }
  }

 private:
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
    uint64_t data[kLongestBurst];
    uint8_t strobes[kLongestBurst];
  };
  struct Held {  // what a channel showed without being taken: it must not change
    bool ar = false, aw = false, w = false;
    uint64_t araddr = 0, awaddr = 0, wdata = 0;
    uint32_t arlen = 0, awlen = 0, wstrb = 0;
  };

  bool stalls() {
    if (!timing.stall_x256) return false;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return (random_ >> 32 & 0xFF) < timing.stall_x256;
  }

  uint32_t response_at(uint64_t address) const {
    for (const Fault& fault : faults)
      if (address + kBeatBytes > fault.first && address <= fault.last) return fault.response;
    return address >= base_ && address + kBeatBytes <= base_ + size_ ? 0 : kDecodeError;
  }

  bool has_open_write() const { return !writes_.empty(); }

  void check_burst(uint64_t address, uint32_t length, uint32_t size, uint32_t burst) {
    const uint64_t last = address + (length + 1) * kBeatBytes - 1;
    if (length >= kLongestBurst || size != 3 || burst != 1 || address % kBeatBytes ||
        address >> 12 != last >> 12)
      ++violations;
  }

  void take_read(Top& top, uint64_t now) {
    check_burst(top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arsize, top.m_axi_arburst);
    const uint64_t jitter = timing.stall_x256 ? random_ % (timing.read_latency + 1) : 0;
    reads_.add() = {top.m_axi_araddr, top.m_axi_arlen + 1, now + timing.read_latency + jitter};
  }

  void take_write(Top& top) {
    check_burst(top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awsize, top.m_axi_awburst);
    Write& write = writes_.add();
    write.address = top.m_axi_awaddr;
    write.beats = top.m_axi_awlen % kLongestBurst + 1;
    write.taken = 0;
  }

  void take_beat(Top& top, uint64_t now) {
    Write& write = writes_.front();
    credit_ -= kBeatBytes * 256;
    write.data[write.taken] = top.m_axi_wdata;
    write.strobes[write.taken] = top.m_axi_wstrb;
    ++write.taken;
    if (bool(top.m_axi_wlast) != (write.taken == write.beats)) ++violations;
    if (write.taken < write.beats) return;
    write.due = now + timing.write_latency;
    acknowledgements_.add() = write;
    writes_.pop();
  }

  void show_read(Top& top, uint64_t now) {
    if (!read_shown_ && !reads_.empty() && reads_.front().due <= now &&
        credit_ >= kBeatBytes * 256 && !stalls()) {
      const Read& read = reads_.front();
      const uint64_t address = read.address + read_beat_ * kBeatBytes;
      const uint32_t response = response_at(address);
      if (response != kHang) {
        credit_ -= kBeatBytes * 256;
        read_shown_ = true;
        top.m_axi_rresp = response;
        top.m_axi_rlast = read_beat_ + 1 == read.beats;
        uint64_t word = 0xDEADBEEFDEADBEEFull;
        if (!response) std::memcpy(&word, bytes_ + (address - base_), kBeatBytes);
        top.m_axi_rdata = word;
      }
    }
    top.m_axi_rvalid = read_shown_;
  }

  void finish_beat() {
    read_shown_ = false;
    if (++read_beat_ == reads_.front().beats) {
      reads_.pop();
      read_beat_ = 0;
    }
  }

  void show_acknowledgement(Top& top, uint64_t now) {
    if (!ack_shown_ && !acknowledgements_.empty() && acknowledgements_.front().due <= now &&
        !stalls()) {
      const uint32_t response = commit(acknowledgements_.front());
      if (response != kHang) {
        ack_shown_ = true;
        top.m_axi_bresp = response;
      }
    }
    top.m_axi_bvalid = ack_shown_;
  }

  // Makes a write visible; returns its response, the worst of its beats.
  uint32_t commit(const Write& write) {
    uint32_t worst = 0;
    for (int beat = 0; beat < write.beats; ++beat) {
      const uint64_t address = write.address + beat * kBeatBytes;
      const uint32_t response = response_at(address);
      if (response > worst) worst = response;
      if (response) continue;
      uint8_t* to = bytes_ + (address - base_);
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
  void check_held(Top& top) {
    if (held_.ar && (!top.m_axi_arvalid || top.m_axi_araddr != held_.araddr ||
                     top.m_axi_arlen != held_.arlen)) ++violations;
    if (held_.aw && (!top.m_axi_awvalid || top.m_axi_awaddr != held_.awaddr ||
                     top.m_axi_awlen != held_.awlen)) ++violations;
    if (held_.w && (!top.m_axi_wvalid || top.m_axi_wdata != held_.wdata ||
                    top.m_axi_wstrb != held_.wstrb)) ++violations;
    held_ = Held{top.m_axi_arvalid && !top.m_axi_arready, top.m_axi_awvalid && !top.m_axi_awready,
                 top.m_axi_wvalid && !top.m_axi_wready, top.m_axi_araddr, top.m_axi_awaddr,
                 top.m_axi_wdata, top.m_axi_arlen, top.m_axi_awlen, top.m_axi_wstrb};
  }

  uint8_t* bytes_;
  uint64_t base_, size_;
  Ring<Read> reads_;
  Ring<Write> writes_, acknowledgements_;
  int read_beat_ = 0;
  bool read_shown_ = false, ack_shown_ = false;
  Held held_;
  uint32_t credit_ = 0;
  uint64_t random_ = 1;
};

}  // namespace specbp
