// A core with its registers: what starts it, what STATUS shows, and its counters.
//
// `registers_clk_i` is the register block's clock: what it shows of the core comes a cycle late, so
// that nothing else is in that clock. It has no state of the program; the core has.

`default_nettype none

module counted_core #(
  parameter int unsigned Lanes             = 16,
  parameter int unsigned QueueDepth        = 4,
  parameter int unsigned ScalarWords       = 4096,
  parameter int unsigned VectorRows        = 1024,
  parameter int unsigned BiasRows          = 512,
  parameter int unsigned OutputWords       = 2048,
  parameter int unsigned PartialRows       = 2048,
  parameter int unsigned CopyWords         = 64,
  parameter int unsigned OutstandingReads  = 8,
  parameter int unsigned OutstandingWrites = 8
) (
  input  wire logic                clk_i,
  input  wire logic                registers_clk_i,
  input  wire logic                rst_ni,

  input  wire logic                start_i,
  input  wire logic                reset_i,
  input  wire logic                stop_i,
  input  wire logic [31:0]         program_address_i,
  input  wire logic [31:0]         program_length_i,
  input  wire logic [15:0]         start_delay_i,
  input  wire logic [31:0]         watchdog_i,
  input  wire specbp_pkg::window_t window_i,
  output specbp_regs_pkg::specbp__core__in_t registers_o,

  output logic                     busy_o,
  output logic                     steady_o,
  output logic                     done_event_o,
  output logic                     error_event_o,

  // Shared semaphores.
  output logic [specbp_pkg::Units-1:0][3:0] shared_wanted_o,
  output logic [15:1]              shared_taken_o,
  output logic [specbp_pkg::Units-1:0][3:0] shared_given_o,
  input  wire logic [15:0]         shared_available_i,

  // The label table.
  output logic                     label_read_o,
  output logic [8:0]               label_o,
  input  wire logic                label_valid_i,
  output specbp_pkg::label_update_e label_update_o,

  output logic [0:0]               m_axi_arid,
  output logic [31:0]              m_axi_araddr,
  output logic [7:0]               m_axi_arlen,
  output logic [2:0]               m_axi_arsize,
  output logic [1:0]               m_axi_arburst,
  output logic                     m_axi_arvalid,
  input  wire logic                m_axi_arready,
  input  wire logic [0:0]          m_axi_rid,
  input  wire logic [63:0]         m_axi_rdata,
  input  wire logic [1:0]          m_axi_rresp,
  input  wire logic                m_axi_rlast,
  input  wire logic                m_axi_rvalid,
  output logic                     m_axi_rready,
  output logic [0:0]               m_axi_awid,
  output logic [31:0]              m_axi_awaddr,
  output logic [7:0]               m_axi_awlen,
  output logic [2:0]               m_axi_awsize,
  output logic [1:0]               m_axi_awburst,
  output logic                     m_axi_awvalid,
  input  wire logic                m_axi_awready,
  output logic [63:0]              m_axi_wdata,
  output logic [7:0]               m_axi_wstrb,
  output logic                     m_axi_wlast,
  output logic                     m_axi_wvalid,
  input  wire logic                m_axi_wready,
  input  wire logic [0:0]          m_axi_bid,
  input  wire logic [1:0]          m_axi_bresp,
  input  wire logic                m_axi_bvalid,
  output logic                     m_axi_bready
);
  import specbp_pkg::*;

  logic             started, done, read_stall, write_stall, multiplying;
  logic [3:0]       error;
  logic [1:0]       response;
  logic [7:0]       fault_opcode;
  logic [31:0]      index;
  logic [Units-1:0] unit_busy;

  specbp_core #(
    .Lanes            (Lanes),
    .QueueDepth       (QueueDepth),
    .ScalarWords      (ScalarWords),
    .VectorRows       (VectorRows),
    .BiasRows         (BiasRows),
    .OutputWords      (OutputWords),
    .PartialRows      (PartialRows),
    .CopyWords        (CopyWords),
    .OutstandingReads (OutstandingReads),
    .OutstandingWrites(OutstandingWrites)
  ) u_core (
    .clk_i,
    .rst_ni,
    .start_i,
    .reset_i,
    .stop_i,
    .program_address_i,
    .program_length_i,
    .start_delay_i,
    .watchdog_i,
    .window_i,
    .busy_o,
    .done_o       (done),
    .error_o      (error),
    .response_o   (response),
    .opcode_o     (fault_opcode),
    .index_o      (index),
    .started_o    (started),
    .done_event_o,
    .error_event_o,
    .read_stall_o (read_stall),
    .write_stall_o(write_stall),
    .unit_busy_o  (unit_busy),
    .multiplying_o(multiplying),
    .steady_o,
    .shared_wanted_o,
    .shared_taken_o,
    .shared_given_o,
    .shared_available_i,
    .label_read_o,
    .label_o,
    .label_valid_i,
    .label_update_o,
    .m_axi_arid,
    .m_axi_araddr,
    .m_axi_arlen,
    .m_axi_arsize,
    .m_axi_arburst,
    .m_axi_arvalid,
    .m_axi_arready,
    .m_axi_rid,
    .m_axi_rdata,
    .m_axi_rresp,
    .m_axi_rlast,
    .m_axi_rvalid,
    .m_axi_rready,
    .m_axi_awid,
    .m_axi_awaddr,
    .m_axi_awlen,
    .m_axi_awsize,
    .m_axi_awburst,
    .m_axi_awvalid,
    .m_axi_awready,
    .m_axi_wdata,
    .m_axi_wstrb,
    .m_axi_wlast,
    .m_axi_wvalid,
    .m_axi_wready,
    .m_axi_bid,
    .m_axi_bresp,
    .m_axi_bvalid,
    .m_axi_bready
  );

  // The registers' clock sees all a cycle late.
  localparam int unsigned Counters = 7;

  logic [63:0] totals [Counters];

  typedef struct packed {
    logic        busy;
    logic        done;
    logic [3:0]  error;
    logic [1:0]  response;
    logic [7:0]  opcode;
    logic [31:0] index;
  } shown_t;

  shown_t      shown_q;
  logic [63:0] shown_counts_q [Counters];

  always_ff @(posedge registers_clk_i) begin
    shown_q <= '{
        busy: busy_o,
        done: done,
        error: error,
        response: response,
        opcode: fault_opcode,
        index: index
    };
    shown_counts_q <= totals;
  end

  // Counters since the start. A core that is not busy does nothing that is counted.
  logic [Counters-1:0] counted;

  assign counted = {
      multiplying, unit_busy[UnitStore], unit_busy[UnitCompute], unit_busy[UnitLoad],
      write_stall, read_stall, busy_o
  };

  for (genvar counter = 0; counter < Counters; counter++) begin : g_counters
    cycle_counter u_counter (
      .clk_i,
      .clear_i(!rst_ni || started),
      .count_i(counted[counter]),
      .count_o(totals[counter])
    );
  end

  always_comb begin
    registers_o.STATUS.busy.next       = shown_q.busy;
    registers_o.STATUS.done.next       = shown_q.done;
    registers_o.STATUS.error.next      = shown_q.error;
    registers_o.STATUS.response.next   = shown_q.response;
    registers_o.STATUS.opcode.next     = shown_q.opcode;
    registers_o.INDEX.value.next       = shown_q.index;
    registers_o.BUSY.value.next        = shown_counts_q[0];
    registers_o.READ_STALL.value.next  = shown_counts_q[1];
    registers_o.WRITE_STALL.value.next = shown_counts_q[2];
    registers_o.LOADING.value.next     = shown_counts_q[3];
    registers_o.COMPUTING.value.next   = shown_counts_q[4];
    registers_o.STORING.value.next     = shown_counts_q[5];
    registers_o.MULTIPLYING.value.next = shown_counts_q[6];
  end

endmodule

`default_nettype wire
