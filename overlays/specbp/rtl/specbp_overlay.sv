// The overlay: registers over AXI4-Lite, one or two cores, an AXI4 port to memory for each, an
// interrupt.
//
// Meant for Zynq-7000 HP ports (64 bit) and a 32-bit GP port, all in the clock `clk_i`. One start
// runs the programs of all cores that have one, an error of one stops all, and the interrupt for
// done comes when the last has ended. With one core the second port is at rest.
// `BuildIdentifier` is computed from the other parameters (specbp.overlay.parameters) and only
// shown: the driver refuses what it does not expect.
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
  // For a simulator: where only loops and lanes worked in the last cycle, they alone work in this
  // one, unless something comes from outside. Else it is left open.
  output logic             steady_o,

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

  output logic [0:0]       m0_axi_arid,
  output logic [31:0]      m0_axi_araddr,
  output logic [7:0]       m0_axi_arlen,
  output logic [2:0]       m0_axi_arsize,
  output logic [1:0]       m0_axi_arburst,
  output logic [3:0]       m0_axi_arcache,
  output logic [2:0]       m0_axi_arprot,
  output logic             m0_axi_arvalid,
  input  wire logic        m0_axi_arready,
  input  wire logic [0:0]  m0_axi_rid,
  input  wire logic [63:0] m0_axi_rdata,
  input  wire logic [1:0]  m0_axi_rresp,
  input  wire logic        m0_axi_rlast,
  input  wire logic        m0_axi_rvalid,
  output logic             m0_axi_rready,
  output logic [0:0]       m0_axi_awid,
  output logic [31:0]      m0_axi_awaddr,
  output logic [7:0]       m0_axi_awlen,
  output logic [2:0]       m0_axi_awsize,
  output logic [1:0]       m0_axi_awburst,
  output logic [3:0]       m0_axi_awcache,
  output logic [2:0]       m0_axi_awprot,
  output logic             m0_axi_awvalid,
  input  wire logic        m0_axi_awready,
  output logic [63:0]      m0_axi_wdata,
  output logic [7:0]       m0_axi_wstrb,
  output logic             m0_axi_wlast,
  output logic             m0_axi_wvalid,
  input  wire logic        m0_axi_wready,
  input  wire logic [0:0]  m0_axi_bid,
  input  wire logic [1:0]  m0_axi_bresp,
  input  wire logic        m0_axi_bvalid,
  output logic             m0_axi_bready,

  output logic [0:0]       m1_axi_arid,
  output logic [31:0]      m1_axi_araddr,
  output logic [7:0]       m1_axi_arlen,
  output logic [2:0]       m1_axi_arsize,
  output logic [1:0]       m1_axi_arburst,
  output logic [3:0]       m1_axi_arcache,
  output logic [2:0]       m1_axi_arprot,
  output logic             m1_axi_arvalid,
  input  wire logic        m1_axi_arready,
  input  wire logic [0:0]  m1_axi_rid,
  input  wire logic [63:0] m1_axi_rdata,
  input  wire logic [1:0]  m1_axi_rresp,
  input  wire logic        m1_axi_rlast,
  input  wire logic        m1_axi_rvalid,
  output logic             m1_axi_rready,
  output logic [0:0]       m1_axi_awid,
  output logic [31:0]      m1_axi_awaddr,
  output logic [7:0]       m1_axi_awlen,
  output logic [2:0]       m1_axi_awsize,
  output logic [1:0]       m1_axi_awburst,
  output logic [3:0]       m1_axi_awcache,
  output logic [2:0]       m1_axi_awprot,
  output logic             m1_axi_awvalid,
  input  wire logic        m1_axi_awready,
  output logic [63:0]      m1_axi_wdata,
  output logic [7:0]       m1_axi_wstrb,
  output logic             m1_axi_wlast,
  output logic             m1_axi_wvalid,
  input  wire logic        m1_axi_wready,
  input  wire logic [0:0]  m1_axi_bid,
  input  wire logic [1:0]  m1_axi_bresp,
  input  wire logic        m1_axi_bvalid,
  output logic             m1_axi_bready
);
  import specbp_pkg::*;
  import specbp_regs_pkg::*;

  specbp__in_t       status;
  specbp__out_t      control;
  specbp__core__in_t core_registers [Cores];

  logic [Cores-1:0] start, stop, busy, steady, done_event, error_event, has_program;
  logic             all_done, failed_q, done_q, error_q;
  window_t          window;
  logic [63:0]      cycles, cycles_q;

  logic [Cores-1:0]      label_read;
  logic [Cores-1:0][8:0] labels;
  label_update_e         label_update [Cores];
  logic [8:0]            gate_label;
  label_update_e         gate_update;
  logic                  label_valid;
  logic [31:0]           label_accepts, label_rejects;

  // The registers' clock stops in simulation while nobody uses them, or what the cores share; see
  // clock_gate.
  logic       registers_clk, used, shared, labelled;
  logic [2:0] settling_q;

  assign used = s_axil_awvalid || s_axil_wvalid || s_axil_arvalid || s_axil_bvalid || s_axil_rvalid
      || done_event != '0 || error_event != '0 || !rst_ni;

  always_ff @(posedge registers_clk) begin
    if (used) settling_q <= '1;
    else if (settling_q != '0) settling_q <= settling_q - 3'd1;
  end

  clock_gate u_clock (
    .clk_i,
    .enable_i(used || settling_q != '0 || shared || labelled),
    .clk_o   (registers_clk)
  );

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
    status.BUILD.value.next             = BuildIdentifier;
    status.SHAPE.lanes.next             = 16'(Lanes);
    status.SHAPE.ncores.next            = 8'(Cores);
    status.BUFFERS.copy_words.next      = 16'(CopyWords);
    status.BUFFERS.bias_rows.next       = 16'(BiasRows);
    status.WORDS.scalar.next            = 16'(ScalarWords);
    status.WORDS.results.next           = 16'(OutputWords);
    status.ROWS.vector.next             = 16'(VectorRows);
    status.ROWS.partial.next            = 16'(PartialRows);
    status.SHAPE.queue.next             = 8'(QueueDepth);
    status.BURSTS.reads.next            = 8'(OutstandingReads);
    status.BURSTS.writes.next           = 8'(OutstandingWrites);
    status.BURSTS.beats.next            = 8'd16;
    status.INTERRUPT_STATUS.done.hwset  = done_q;
    status.INTERRUPT_STATUS.error.hwset = error_q;
    status.LABEL_STATE.valid.next       = label_valid;
    status.LABEL_ACCEPTS.value.next     = label_accepts;
    status.LABEL_REJECTS.value.next     = label_rejects;
    status.CYCLES.value.next            = cycles_q;
    status.CORE[0]                      = core_registers[0];
    status.CORE[1]                      = core_registers[Cores-1];
    if (Cores == 1) status.CORE[1]      = '{default: '0};
  end

  assign interrupt_o =
      (control.INTERRUPT_STATUS.done.value && control.INTERRUPT_ENABLE.done.value)
      || (control.INTERRUPT_STATUS.error.value && control.INTERRUPT_ENABLE.error.value);

  // All start together, and end together: an error of one stops the others. Where none has a
  // program, core 0 says so.
  for (genvar core = 0; core < Cores; core++) begin : g_has_program
    assign has_program[core] = control.CORE[core].PROGRAM_LENGTH.value.value != '0;
    assign stop[core]        = (error_event & ~(Cores'(1) << core)) != '0;
  end
  assign start = control.CONTROL.start.value && busy == '0
      ? (has_program == '0 ? Cores'(1) : has_program) : '0;
  assign steady_o = steady == '1;
  assign all_done = done_event != '0 && (busy & ~done_event) == '0 && !failed_q;

  always_ff @(posedge registers_clk) begin
    if (!rst_ni || start != '0) failed_q <= 1'b0;
    else if (error_event != '0) failed_q <= 1'b1;
  end

  always_ff @(posedge registers_clk) begin
    done_q  <= rst_ni && all_done;
    error_q <= rst_ni && error_event != '0;
  end

  assign window = {control.WINDOW_FIRST.value.value, control.WINDOW_LAST.value.value};

  logic [Cores-1:0][Units-1:0][3:0] shared_wanted, shared_given;
  logic [Cores-1:0][15:1]           shared_taken;
  logic [Cores-1:0][15:0]           shared_available;

  shared_semaphores #(
    .Cores(Cores)
  ) u_shared (
    .clk_i      (registers_clk),
    .rst_ni,
    .clear_i    (start != '0),
    .wanted_i   (shared_wanted),
    .taken_i    (shared_taken),
    .given_i    (shared_given),
    .available_o(shared_available)
  );

  assign shared   = shared_taken != '0 || shared_given != '0;
  assign labelled = label_read != '0 || gate_update != LabelKept;

  // The label table: one core's gate works at a time, the others ask for nothing.
  always_comb begin
    gate_label  = labels[0];
    gate_update = label_update[0];
    for (int core = 1; core < Cores; core++) begin
      if (label_read[core] || label_update[core] != LabelKept) begin
        gate_label  = labels[core];
        gate_update = label_update[core];
      end
    end
  end

  label_table u_labels (
    .clk_i       (registers_clk),
    .read_i      (label_read != '0),
    .label_i     (gate_label),
    .update_i    (gate_update),
    .host_i      (busy == '0),
    .host_label_i(control.LABEL.value.value),
    .set_valid_i (control.LABEL_SET.valid.value),
    .clear_i     (control.LABEL_SET.clear.value),
    .valid_o     (label_valid),
    .accepts_o   (label_accepts),
    .rejects_o   (label_rejects)
  );

  counted_core #(
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
  ) u_core_0 (
    .clk_i,
    .registers_clk_i   (registers_clk),
    .rst_ni,
    .start_i           (start[0]),
    .reset_i           (control.CONTROL.reset.value),
    .stop_i            (stop[0]),
    .program_address_i (control.CORE[0].PROGRAM_ADDRESS.value.value),
    .program_length_i  (control.CORE[0].PROGRAM_LENGTH.value.value),
    .start_delay_i     (control.CORE[0].START_DELAY.value.value),
    .watchdog_i        (control.WATCHDOG.value.value),
    .window_i          (window),
    .registers_o       (core_registers[0]),
    .busy_o            (busy[0]),
    .steady_o          (steady[0]),
    .done_event_o      (done_event[0]),
    .error_event_o     (error_event[0]),
    .shared_wanted_o   (shared_wanted[0]),
    .shared_taken_o    (shared_taken[0]),
    .shared_given_o    (shared_given[0]),
    .shared_available_i(shared_available[0]),
    .label_read_o      (label_read[0]),
    .label_o           (labels[0]),
    .label_valid_i     (label_valid),
    .label_update_o    (label_update[0]),
    .m_axi_arid    (m0_axi_arid),
    .m_axi_araddr  (m0_axi_araddr),
    .m_axi_arlen   (m0_axi_arlen),
    .m_axi_arsize  (m0_axi_arsize),
    .m_axi_arburst (m0_axi_arburst),
    .m_axi_arvalid (m0_axi_arvalid),
    .m_axi_arready (m0_axi_arready),
    .m_axi_rid     (m0_axi_rid),
    .m_axi_rdata   (m0_axi_rdata),
    .m_axi_rresp   (m0_axi_rresp),
    .m_axi_rlast   (m0_axi_rlast),
    .m_axi_rvalid  (m0_axi_rvalid),
    .m_axi_rready  (m0_axi_rready),
    .m_axi_awid    (m0_axi_awid),
    .m_axi_awaddr  (m0_axi_awaddr),
    .m_axi_awlen   (m0_axi_awlen),
    .m_axi_awsize  (m0_axi_awsize),
    .m_axi_awburst (m0_axi_awburst),
    .m_axi_awvalid (m0_axi_awvalid),
    .m_axi_awready (m0_axi_awready),
    .m_axi_wdata   (m0_axi_wdata),
    .m_axi_wstrb   (m0_axi_wstrb),
    .m_axi_wlast   (m0_axi_wlast),
    .m_axi_wvalid  (m0_axi_wvalid),
    .m_axi_wready  (m0_axi_wready),
    .m_axi_bid     (m0_axi_bid),
    .m_axi_bresp   (m0_axi_bresp),
    .m_axi_bvalid  (m0_axi_bvalid),
    .m_axi_bready  (m0_axi_bready)
  );

  if (Cores > 1) begin : g_core_1
    counted_core #(
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
    ) u_core_1 (
      .clk_i,
      .registers_clk_i   (registers_clk),
      .rst_ni,
      .start_i           (start[1]),
      .reset_i           (control.CONTROL.reset.value),
      .stop_i            (stop[1]),
      .program_address_i (control.CORE[1].PROGRAM_ADDRESS.value.value),
      .program_length_i  (control.CORE[1].PROGRAM_LENGTH.value.value),
      .start_delay_i     (control.CORE[1].START_DELAY.value.value),
      .watchdog_i        (control.WATCHDOG.value.value),
      .window_i          (window),
      .registers_o       (core_registers[1]),
      .busy_o            (busy[1]),
      .steady_o          (steady[1]),
      .done_event_o      (done_event[1]),
      .error_event_o     (error_event[1]),
      .shared_wanted_o   (shared_wanted[1]),
      .shared_taken_o    (shared_taken[1]),
      .shared_given_o    (shared_given[1]),
      .shared_available_i(shared_available[1]),
      .label_read_o      (label_read[1]),
      .label_o           (labels[1]),
      .label_valid_i     (label_valid),
      .label_update_o    (label_update[1]),
      .m_axi_arid    (m1_axi_arid),
      .m_axi_araddr  (m1_axi_araddr),
      .m_axi_arlen   (m1_axi_arlen),
      .m_axi_arsize  (m1_axi_arsize),
      .m_axi_arburst (m1_axi_arburst),
      .m_axi_arvalid (m1_axi_arvalid),
      .m_axi_arready (m1_axi_arready),
      .m_axi_rid     (m1_axi_rid),
      .m_axi_rdata   (m1_axi_rdata),
      .m_axi_rresp   (m1_axi_rresp),
      .m_axi_rlast   (m1_axi_rlast),
      .m_axi_rvalid  (m1_axi_rvalid),
      .m_axi_rready  (m1_axi_rready),
      .m_axi_awid    (m1_axi_awid),
      .m_axi_awaddr  (m1_axi_awaddr),
      .m_axi_awlen   (m1_axi_awlen),
      .m_axi_awsize  (m1_axi_awsize),
      .m_axi_awburst (m1_axi_awburst),
      .m_axi_awvalid (m1_axi_awvalid),
      .m_axi_awready (m1_axi_awready),
      .m_axi_wdata   (m1_axi_wdata),
      .m_axi_wstrb   (m1_axi_wstrb),
      .m_axi_wlast   (m1_axi_wlast),
      .m_axi_wvalid  (m1_axi_wvalid),
      .m_axi_wready  (m1_axi_wready),
      .m_axi_bid     (m1_axi_bid),
      .m_axi_bresp   (m1_axi_bresp),
      .m_axi_bvalid  (m1_axi_bvalid),
      .m_axi_bready  (m1_axi_bready)
    );
  end else begin : g_no_core_1
    assign m1_axi_arid     = '0;
    assign m1_axi_araddr   = '0;
    assign m1_axi_arlen    = '0;
    assign m1_axi_arsize   = '0;
    assign m1_axi_arburst  = '0;
    assign m1_axi_arvalid  = '0;
    assign m1_axi_rready   = '0;
    assign m1_axi_awid     = '0;
    assign m1_axi_awaddr   = '0;
    assign m1_axi_awlen    = '0;
    assign m1_axi_awsize   = '0;
    assign m1_axi_awburst  = '0;
    assign m1_axi_awvalid  = '0;
    assign m1_axi_wdata    = '0;
    assign m1_axi_wstrb    = '0;
    assign m1_axi_wlast    = '0;
    assign m1_axi_wvalid   = '0;
    assign m1_axi_bready   = '0;

    logic unused;
    assign unused = ^{m1_axi_arready, m1_axi_rid, m1_axi_rdata, m1_axi_rresp, m1_axi_rlast,
                      m1_axi_rvalid, m1_axi_awready, m1_axi_wready, m1_axi_bid, m1_axi_bresp,
                      m1_axi_bvalid, control.CORE[1].PROGRAM_ADDRESS.value.value,
                      control.CORE[1].PROGRAM_LENGTH.value.value,
                      control.CORE[1].START_DELAY.value.value};
  end

  // Normal memory, modifiable, not bufferable: the cores order their accesses by acknowledgements,
  // and a bufferable write may be acknowledged before the other core's port sees it. Data, secure,
  // unprivileged.
  assign {m0_axi_arcache, m0_axi_awcache} = {2{4'b0010}};
  assign {m1_axi_arcache, m1_axi_awcache} = {2{4'b0010}};
  assign {m0_axi_arprot, m0_axi_awprot}   = '0;
  assign {m1_axi_arprot, m1_axi_awprot}   = '0;

  cycle_counter u_cycles (
    .clk_i,
    .clear_i(!rst_ni),
    .count_i(1'b1),
    .count_o(cycles)
  );

  always_ff @(posedge registers_clk) cycles_q <= cycles;

endmodule

`default_nettype wire
