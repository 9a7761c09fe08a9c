// The overlay: registers over AXI4-Lite, a core, an AXI4 port to memory, an interrupt.
//
// Meant for one Zynq-7000 HP port (64 bit) and a 32-bit GP port, both in the clock `clk_i`.
// `BuildIdentifier` is computed from the other parameters (specbp.overlay.parameters) and only
// shown: the driver refuses what it does not expect. `Cores` is only shown as yet.
//
// Bus ports have AXI's own names, without _i and _o: Vivado and cocotbext-axi go by them.

`default_nettype none

module specbp_overlay #(
  parameter logic [31:0] BuildIdentifier   = 32'd0,
  parameter int unsigned Lanes             = 16,
  parameter int unsigned Cores             = 1,
  parameter int unsigned ScalarWords       = 4096,
  parameter int unsigned VectorRows        = 1024,
  parameter int unsigned BiasRows          = 512,
  parameter int unsigned OutputWords       = 2048,
  parameter int unsigned PartialRows       = 2048,
  parameter int unsigned QueueDepth        = 8,
  parameter int unsigned CopyWords         = 64,
  parameter int unsigned OutstandingReads  = 8,
  parameter int unsigned OutstandingWrites = 8
) (
  input  wire logic        clk_i,
  input  wire logic        rst_ni,
  output logic             interrupt_o,  // level, until INTERRUPT_STATUS is cleared

  input  wire logic [11:0] s_axil_awaddr,
  input  wire logic [2:0]  s_axil_awprot,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [3:0]  s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic [1:0]       s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [11:0] s_axil_araddr,
  input  wire logic [2:0]  s_axil_arprot,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic [31:0]      s_axil_rdata,
  output logic [1:0]       s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready,

  output logic [0:0]       m_axi_arid,
  output logic [31:0]      m_axi_araddr,
  output logic [7:0]       m_axi_arlen,
  output logic [2:0]       m_axi_arsize,
  output logic [1:0]       m_axi_arburst,
  output logic [3:0]       m_axi_arcache,
  output logic [2:0]       m_axi_arprot,
  output logic             m_axi_arvalid,
  input  wire logic        m_axi_arready,
  input  wire logic [0:0]  m_axi_rid,
  input  wire logic [63:0] m_axi_rdata,
  input  wire logic [1:0]  m_axi_rresp,
  input  wire logic        m_axi_rlast,
  input  wire logic        m_axi_rvalid,
  output logic             m_axi_rready,
  output logic [0:0]       m_axi_awid,
  output logic [31:0]      m_axi_awaddr,
  output logic [7:0]       m_axi_awlen,
  output logic [2:0]       m_axi_awsize,
  output logic [1:0]       m_axi_awburst,
  output logic [3:0]       m_axi_awcache,
  output logic [2:0]       m_axi_awprot,
  output logic             m_axi_awvalid,
  input  wire logic        m_axi_awready,
  output logic [63:0]      m_axi_wdata,
  output logic [7:0]       m_axi_wstrb,
  output logic             m_axi_wlast,
  output logic             m_axi_wvalid,
  input  wire logic        m_axi_wready,
  input  wire logic [0:0]  m_axi_bid,
  input  wire logic [1:0]  m_axi_bresp,
  input  wire logic        m_axi_bvalid,
  output logic             m_axi_bready
);
  import specbp_regs_pkg::*;

  specbp__in_t  status;
  specbp__out_t control;

  logic        busy, done, started, done_event, error_event, read_stall, write_stall;
  logic [3:0]  error;
  logic [1:0]  response;
  logic [7:0]  opcode;
  logic [31:0] index;
  logic [2:0]  unit_busy;
  logic        multiplying;
  logic [63:0] cycles, busy_cycles, read_stall_cycles, write_stall_cycles;
  logic [63:0] loading_cycles, computing_cycles, storing_cycles, multiplying_cycles;

  // The registers' clock stops in simulation while nobody uses them; see clock_gate.
  logic       registers_clk, used;
  logic [2:0] settling_q;

  assign used = s_axil_awvalid || s_axil_wvalid || s_axil_arvalid || s_axil_bvalid || s_axil_rvalid
      || done_event || error_event || !rst_ni;

  always_ff @(posedge clk_i) begin
    if (used) settling_q <= '1;
    else if (settling_q != '0) settling_q <= settling_q - 3'd1;
  end

  clock_gate u_clock (
    .clk_i,
    .enable_i(used || settling_q != '0),
    .clk_o   (registers_clk)
  );

  // What the registers show of the core, a cycle late: nothing here but they is in their clock.
  typedef struct packed {
    logic        busy;
    logic        done;
    logic [3:0]  error;
    logic [1:0]  response;
    logic [7:0]  opcode;
    logic [31:0] index;
  } shown_t;

  shown_t shown_q;

  always_ff @(posedge registers_clk) begin
    shown_q <= '{
        busy: busy, done: done, error: error, response: response, opcode: opcode, index: index
    };
  end

  specbp_regs u_registers (
    .clk   (registers_clk),
    .rst   (!rst_ni),
    .s_axil_awready,
    .s_axil_awvalid,
    .s_axil_awaddr,
    .s_axil_awprot,
    .s_axil_wready,
    .s_axil_wvalid,
    .s_axil_wdata,
    .s_axil_wstrb,
    .s_axil_bready,
    .s_axil_bvalid,
    .s_axil_bresp,
    .s_axil_arready,
    .s_axil_arvalid,
    .s_axil_araddr,
    .s_axil_arprot,
    .s_axil_rready,
    .s_axil_rvalid,
    .s_axil_rdata,
    .s_axil_rresp,
    .hwif_in (status),
    .hwif_out(control)
  );

  always_comb begin
    status.BUILD.value.next                 = BuildIdentifier;
    status.SHAPE.lanes.next                 = 16'(Lanes);
    status.SHAPE.ncores.next                = 8'(Cores);
    status.BUFFERS.copy_words.next          = 16'(CopyWords);
    status.BUFFERS.bias_rows.next           = 16'(BiasRows);
    status.WORDS.scalar.next                = 16'(ScalarWords);
    status.WORDS.results.next               = 16'(OutputWords);
    status.ROWS.vector.next                 = 16'(VectorRows);
    status.ROWS.partial.next                = 16'(PartialRows);
    status.SHAPE.queue.next                 = 8'(QueueDepth);
    status.BURSTS.reads.next                = 8'(OutstandingReads);
    status.BURSTS.writes.next               = 8'(OutstandingWrites);
    status.BURSTS.beats.next                = 8'd16;
    status.STATUS.busy.next                 = shown_q.busy;
    status.STATUS.done.next                 = shown_q.done;
    status.STATUS.error.next                = shown_q.error;
    status.STATUS.response.next             = shown_q.response;
    status.STATUS.opcode.next               = shown_q.opcode;
    status.INDEX.value.next                 = shown_q.index;
    status.INTERRUPT_STATUS.done.hwset      = done_event;
    status.INTERRUPT_STATUS.error.hwset     = error_event;
    status.CYCLES.value.next                = cycles;
    status.BUSY.value.next                  = busy_cycles;
    status.READ_STALL.value.next            = read_stall_cycles;
    status.WRITE_STALL.value.next           = write_stall_cycles;
    status.LOADING.value.next               = loading_cycles;
    status.COMPUTING.value.next             = computing_cycles;
    status.STORING.value.next               = storing_cycles;
    status.MULTIPLYING.value.next           = multiplying_cycles;
  end

  assign interrupt_o =
      (control.INTERRUPT_STATUS.done.value && control.INTERRUPT_ENABLE.done.value)
      || (control.INTERRUPT_STATUS.error.value && control.INTERRUPT_ENABLE.error.value);

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
    .start_i          (control.CONTROL.start.value),
    .reset_i          (control.CONTROL.reset.value),
    .program_address_i(control.PROGRAM_ADDRESS.value.value),
    .program_length_i (control.PROGRAM_LENGTH.value.value),
    .watchdog_i       (control.WATCHDOG.value.value),
    .window_i         ({control.WINDOW_FIRST.value.value, control.WINDOW_LAST.value.value}),
    .busy_o           (busy),
    .done_o           (done),
    .error_o          (error),
    .response_o       (response),
    .opcode_o         (opcode),
    .index_o          (index),
    .started_o        (started),
    .done_event_o     (done_event),
    .error_event_o    (error_event),
    .read_stall_o     (read_stall),
    .write_stall_o    (write_stall),
    .unit_busy_o      (unit_busy),
    .multiplying_o    (multiplying),
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

  // Normal memory, modifiable and bufferable; data, secure, unprivileged.
  assign m_axi_arcache = 4'b0011;
  assign m_axi_awcache = 4'b0011;
  assign m_axi_arprot  = 3'b000;
  assign m_axi_awprot  = 3'b000;

  cycle_counter u_cycles (
    .clk_i,
    .clear_i(!rst_ni),
    .count_i(1'b1),
    .count_o(cycles)
  );

  cycle_counter u_busy (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy),
    .count_o(busy_cycles)
  );

  cycle_counter u_read_stall (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy && read_stall),
    .count_o(read_stall_cycles)
  );

  cycle_counter u_write_stall (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy && write_stall),
    .count_o(write_stall_cycles)
  );

  cycle_counter u_loading (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy && unit_busy[0]),
    .count_o(loading_cycles)
  );

  cycle_counter u_computing (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy && unit_busy[1]),
    .count_o(computing_cycles)
  );

  cycle_counter u_storing (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy && unit_busy[2]),
    .count_o(storing_cycles)
  );

  cycle_counter u_multiplying (
    .clk_i,
    .clear_i(!rst_ni || started),
    .count_i(busy && multiplying),
    .count_o(multiplying_cycles)
  );

endmodule

`default_nettype wire
