// The simulated overlay behind a C interface: it owns the clock, the registers' bus, the memory.
// SPECBP_CORES is the number of its cores, and so of its memory ports.
//
// Every register access and every run advances simulated time. Nothing here throws; a bus that
// does not answer gives -1. One model is used by one thread at a time.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "Vspecbp_overlay.h"
#include "memory.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

namespace {

using Top = Vspecbp_overlay;
constexpr int kBusDeadline = 1000;  // cycles until the registers' bus counts as dead

// Top::eval() settles the design until nothing changes, whatever changed. Here it is known what did:
// inputs while the clock is low, the clock alone when it rises; and no clock depends on what a rising
// clock changes, since a gate holds while its clock is high. So each half of a cycle does its part
// once: what follows from inputs; what is triggered by the rise, which needs to have seen the clock
// low. Where this Verilator names the parts otherwise, eval() does it all.
#if !VM_TRACE && !VM_COVERAGE
template <typename Root>
using Parts = decltype(Vspecbp_overlay___024root___eval_phase__ico(std::declval<Root*>()),
                       Vspecbp_overlay___024root___eval_phase__act(std::declval<Root*>()),
                       Vspecbp_overlay___024root___eval_phase__nba(std::declval<Root*>()));

template <typename Root, typename = Parts<Root>>
void evaluate_low(Top&, Root* root, int) {
  root->clk_i = 0;
  root->__VicoFirstIteration = 1;
  Vspecbp_overlay___024root___eval_phase__ico(root);
}
template <typename Root>
__attribute__((noinline)) void evaluate_triggered(Root* root) {
  Vspecbp_overlay___024root___eval_phase__nba(root);
}
// Says whether nothing but the clocks of loops and lanes ticked.
template <typename Root, typename = Parts<Root>>
bool evaluate_high(Top&, Root* root, int) {
  root->clk_i = 0;
  Vspecbp_overlay___024root___eval_phase__act(root);
  root->clk_i = 1;
  Vspecbp_overlay___024root___eval_phase__act(root);
  const bool multiplying = root->__VnbaTriggered[0] == SPECBP_MULTIPLYING;
  evaluate_triggered(root);
  return multiplying;
}
// After such a cycle, and while no input changes: evaluates the cycles to come that are like it, at
// most `most`. All other clocks rest, so that nothing changes that the low half of a cycle works out.
// Returns how many there were.
template <typename Root, typename = Parts<Root>>
__attribute__((flatten)) uint64_t evaluate_steady(Root* root, uint64_t most, int) {
  uint64_t ran = 0;
  for (; root->steady_o && ran < most; ++ran) {
    root->__VnbaTriggered[0] = SPECBP_MULTIPLYING;
    Vspecbp_overlay___024root___eval_phase__nba(root);
  }
  return ran;
}
#endif
template <typename Root>
void evaluate_low(Top& top, Root*, long) {
  top.clk_i = 0;
  top.eval();
}
template <typename Root>
bool evaluate_high(Top& top, Root*, long) {
  top.clk_i = 1;
  top.eval();
  return false;
}
template <typename Root>
uint64_t evaluate_steady(Root*, uint64_t, long) {
  return 0;
}

// The signals of a memory port.
#define SPECBP_SIGNAL(core, name) \
  auto& name() { return root->m##core##_axi_##name; }
#define SPECBP_SIGNALS(core)                                                    \
  struct Signals##core {                                                        \
    decltype(Top::rootp) root;                                                  \
    SPECBP_SIGNAL(core, arready) SPECBP_SIGNAL(core, arvalid)                   \
    SPECBP_SIGNAL(core, araddr) SPECBP_SIGNAL(core, arlen)                      \
    SPECBP_SIGNAL(core, arsize) SPECBP_SIGNAL(core, arburst)                    \
    SPECBP_SIGNAL(core, rready) SPECBP_SIGNAL(core, rvalid)                     \
    SPECBP_SIGNAL(core, rdata) SPECBP_SIGNAL(core, rresp)                       \
    SPECBP_SIGNAL(core, rlast)                                                  \
    SPECBP_SIGNAL(core, awready) SPECBP_SIGNAL(core, awvalid)                   \
    SPECBP_SIGNAL(core, awaddr) SPECBP_SIGNAL(core, awlen)                      \
    SPECBP_SIGNAL(core, awsize) SPECBP_SIGNAL(core, awburst)                    \
    SPECBP_SIGNAL(core, awcache)                                                \
    SPECBP_SIGNAL(core, wready) SPECBP_SIGNAL(core, wvalid)                     \
    SPECBP_SIGNAL(core, wdata) SPECBP_SIGNAL(core, wstrb)                       \
    SPECBP_SIGNAL(core, wlast)                                                  \
    SPECBP_SIGNAL(core, bready) SPECBP_SIGNAL(core, bvalid)                     \
    SPECBP_SIGNAL(core, bresp)                                                  \
  };
SPECBP_SIGNALS(0)
#if SPECBP_CORES > 1
SPECBP_SIGNALS(1)
#endif

struct Model {
  VerilatedContext context;
  std::unique_ptr<Top> top;
  specbp::Memory memory;
  std::unique_ptr<specbp::Port<Signals0>> port_0;
#if SPECBP_CORES > 1
  std::unique_ptr<specbp::Port<Signals1>> port_1;
#endif
  uint64_t cycle = 0;
  bool turn = false;  // of port 1
#if VM_TRACE
  std::unique_ptr<VerilatedFstC> trace;
  uint64_t trace_first = 0, trace_last = 0;
#endif

  Model(uint8_t* bytes, uint64_t base, uint64_t size) : memory(bytes, base, size) {
#if VM_TRACE
    context.traceEverOn(true);
#endif
    context.randReset(2);  // what the design does not reset starts as noise
    context.randSeed(1);
    top = std::make_unique<Top>(&context);
    port_0 = std::make_unique<specbp::Port<Signals0>>(memory, Signals0{top->rootp}, 0);
#if SPECBP_CORES > 1
    port_1 = std::make_unique<specbp::Port<Signals1>>(memory, Signals1{top->rootp}, 1);
#endif
  }

  // Calls `what` for each port, in turns from cycle to cycle.
  template <typename What>
  void ports(What what) {
#if SPECBP_CORES > 1
    if (turn) what(*port_1);
#endif
    what(*port_0);
#if SPECBP_CORES > 1
    if (!turn) what(*port_1);
#endif
  }

  // Whose turn it is starts anew when the memory has rested: what a program takes must not depend
  // on the parity of the cycle in which it starts.
  void take_turn() {
#if SPECBP_CORES > 1
    turn = !(port_0->rests() && port_1->rests()) && !turn;
#endif
  }

  // A cycle has two halves: inputs settle, then the clock rises. Between them a caller may look
  // at what is handed over in this cycle.
  void settle() {
    take_turn();
    ports([this](auto& port) { port.drive(cycle); });
    low();
  }
  // Says, like all that ends with it, whether lanes multiplied and nothing else happened.
  bool rise() {
    ports([this](auto& port) { port.sample(cycle); });
    return high();
  }
  __attribute__((flatten)) bool tick() {
    settle();
    return rise();
  }
  void clock() {  // without the memory
    low();
    high();
  }

  void low() {
    evaluate_low(*top, top->rootp, 0);
    dump(0);
  }
  bool high() {
    const bool multiplying = evaluate_high(*top, top->rootp, 0);
    dump(1);
    ++cycle;
    return multiplying;
  }

  // Goes on while lanes multiply and nothing else happens; see evaluate_steady.
  uint64_t multiply(uint64_t most) {
    bool quiet = true;
    ports([&quiet](auto& port) { quiet = quiet && port.quiet(); });
    if (!quiet) return 0;
    const uint64_t ran = evaluate_steady(top->rootp, most, 0);
    cycle += ran;
    return ran;
  }

  void dump(int half) {
#if VM_TRACE
    if (trace && cycle >= trace_first && cycle <= trace_last) trace->dump(cycle * 2 + half);
#else
    (void)half;
#endif
  }

  void reset() {
    // What the outputs show before the clock has seen the reset means nothing: no handshakes.
    ports([](auto& port) { port.rest(); });
    top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_arvalid = 0;
    top->s_axil_bready = top->s_axil_rready = 0;
    top->rst_ni = 0;
    top->eval();  // sets up what the first evaluation needs
    for (int i = 0; i < 4; ++i) clock();
    top->rst_ni = 1;
    memory.clear(cycle);
    ports([](auto& port) { port.clear(); });
    tick();
  }

  int write(uint32_t offset, uint32_t value) {
    top->s_axil_awaddr = offset;
    top->s_axil_wdata = value;
    top->s_axil_wstrb = 0xF;
    top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_bready = 1;
    for (int i = 0; i < kBusDeadline; ++i) {
      settle();
      const bool address = top->s_axil_awvalid && top->s_axil_awready;
      const bool data = top->s_axil_wvalid && top->s_axil_wready;
      const bool answered = top->s_axil_bvalid;
      const int response = top->s_axil_bresp;
      rise();
      if (address) top->s_axil_awvalid = 0;
      if (data) top->s_axil_wvalid = 0;
      if (answered) {
        top->s_axil_bready = 0;
        return response;
      }
    }
    return -1;
  }

  int read(uint32_t offset, uint32_t* value) {
    top->s_axil_araddr = offset;
    top->s_axil_arvalid = top->s_axil_rready = 1;
    for (int i = 0; i < kBusDeadline; ++i) {
      settle();
      const bool address = top->s_axil_arvalid && top->s_axil_arready;
      const bool answered = top->s_axil_rvalid;
      const int response = top->s_axil_rresp;
      *value = top->s_axil_rdata;
      rise();
      if (address) top->s_axil_arvalid = 0;
      if (answered) {
        top->s_axil_rready = 0;
        return response;
      }
    }
    return -1;
  }

  uint64_t run(uint64_t most) {
    uint64_t ran = 0;
    while (ran < most && !top->interrupt_o) {
      const bool multiplying = tick();
      ++ran;
      if (multiplying) ran += multiply(most - ran);
    }
    return ran;
  }
};

}  // namespace

extern "C" {

// `bytes` is the memory from physical address `base` on; it stays the caller's.
Model* specbp_open(uint8_t* bytes, uint64_t base, uint64_t size) {
  return new Model(bytes, base, size);
}

void specbp_close(Model* model) {
#if VM_TRACE
  if (model->trace) model->trace->close();
#endif
  model->top->final();
  delete model;
}

void specbp_timing(Model* model, uint32_t read_latency, uint32_t write_latency,
                   uint32_t bytes_per_cycle_x256, uint32_t outstanding) {
  specbp::Timing& timing = model->memory.timing;
  timing.read_latency = read_latency;
  timing.write_latency = write_latency;
  timing.bytes_per_cycle_x256 = bytes_per_cycle_x256;
  timing.outstanding = std::min(outstanding, specbp::kMostOutstanding);
}

// Acknowledges bufferable writes at once, and shows them to other ports `cycles` later; 0: as others.
// All writes, whatever AWCACHE says, if `all`.
void specbp_buffered(Model* model, uint32_t cycles, int all) {
  model->memory.timing.buffered_latency = cycles;
  model->memory.timing.all_bufferable = all;
}

// Random pauses from the next reset on; 0 for none, 255 is the most.
void specbp_stalls(Model* model, uint64_t seed, uint32_t chance_x256) {
  model->memory.timing.seed = seed;
  model->memory.timing.stall_x256 = chance_x256;
}

// Response 2 is SLVERR, 3 DECERR, 4 no answer at all.
void specbp_fault(Model* model, uint64_t first, uint64_t last, uint32_t response) {
  model->memory.faults.push_back({first, last, response});
}

void specbp_no_faults(Model* model) { model->memory.faults.clear(); }

void specbp_reset(Model* model) { model->reset(); }

// The bus response, -1 if none came.
int specbp_write(Model* model, uint32_t offset, uint32_t value) {
  return model->write(offset, value);
}

// The bus response in bits 63:32 (all ones if none came), the value in bits 31:0.
uint64_t specbp_read(Model* model, uint32_t offset) {
  uint32_t value = 0;
  const int response = model->read(offset, &value);
  return uint64_t(uint32_t(response)) << 32 | value;
}

// Runs until the interrupt, at most `most` cycles; returns the cycles that it ran.
uint64_t specbp_run(Model* model, uint64_t most) { return model->run(most); }

int specbp_interrupt(Model* model) { return model->top->interrupt_o; }

uint64_t specbp_cycles(Model* model) { return model->cycle; }

uint64_t specbp_violations(Model* model) { return model->memory.violations; }

// Writes an FST of the cycles `first` to `last`; -1 if this build cannot.
int specbp_trace(Model* model, const char* path, uint64_t first, uint64_t last) {
#if VM_TRACE
  if (model->trace) model->trace->close();
  model->trace = std::make_unique<VerilatedFstC>();
  model->top->trace(model->trace.get(), 99);
  model->trace->open(path);
  model->trace_first = first;
  model->trace_last = last;
  return 0;
#else
  (void)model, (void)path, (void)first, (void)last;
  return -1;
#endif
}

// Writes line coverage so far; -1 if this build cannot.
int specbp_coverage(Model* model, const char* path) {
#if VM_COVERAGE
  model->context.coveragep()->write(path);
  return 0;
#else
  (void)model, (void)path;
  return -1;
#endif
}

}  // extern "C"
