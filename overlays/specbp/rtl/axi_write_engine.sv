// Writes memory: commands (address, beats, strobes of the last beat) and a stream of 64-bit beats.
//
// INCR bursts of up to 16 beats that respect 4 KB boundaries, at most `Outstanding` without
// their response. Latency: AWVALID three cycles after the command, WVALID one cycle after its data,
// never before AWVALID. While aborted it requests nothing new and fills the bursts already
// requested with beats whose strobes are off, so that the memory port is left clean and no byte
// is written. An error response is reported as it comes; it does not say which burst it was.
// `done_o` says that a command marked `cmd_final_i`, and so all before it, are acknowledged. Data
// still in the stream after an abort are the user's to throw away.
//
// Bus ports have AXI's own names, without _i and _o: Vivado and cocotbext-axi go by them.

`default_nettype none

module axi_write_engine #(
  parameter int unsigned AddressWidth = 32,
  parameter int unsigned CountWidth   = 24,
  parameter int unsigned Outstanding  = 8  // a power of two
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,
  input  wire logic                    abort_i,
  output logic                         idle_o,   // nothing to do, every burst acknowledged
  output logic                         stall_o,  // waits for the memory to take something
  output logic                         error_valid_o,
  output logic [1:0]                   error_response_o,

  input  wire logic                    cmd_valid_i,
  output logic                         cmd_ready_o,
  input  wire logic [AddressWidth-1:0] cmd_address_i,
  input  wire logic [CountWidth-1:0]   cmd_beats_i,
  input  wire logic [7:0]              cmd_last_strobes_i,
  input  wire logic                    cmd_final_i,
  output logic                         done_o,  // pulse

  input  wire logic                    data_valid_i,
  output logic                         data_ready_o,
  input  wire logic [63:0]             data_i,

  output logic [0:0]                   m_axi_awid,
  output logic [AddressWidth-1:0]      m_axi_awaddr,
  output logic [7:0]                   m_axi_awlen,
  output logic [2:0]                   m_axi_awsize,
  output logic [1:0]                   m_axi_awburst,
  output logic                         m_axi_awvalid,
  input  wire logic                    m_axi_awready,
  output logic [63:0]                  m_axi_wdata,
  output logic [7:0]                   m_axi_wstrb,
  output logic                         m_axi_wlast,
  output logic                         m_axi_wvalid,
  input  wire logic                    m_axi_wready,
  input  wire logic [0:0]              m_axi_bid,
  input  wire logic [1:0]              m_axi_bresp,
  input  wire logic                    m_axi_bvalid,
  output logic                         m_axi_bready
);

  localparam int unsigned PendingWidth = $clog2(Outstanding) + 1;

  logic                    cmd_valid, cmd_ready, cmd_final;
  logic [AddressWidth-1:0] cmd_address;
  logic [CountWidth-1:0]   cmd_beats;
  logic [7:0]              cmd_last_strobes;
  logic                    burst_valid, burst_ready, burst_last;
  logic [AddressWidth-1:0] burst_address;
  logic [4:0]              burst_beats;
  logic [7:0]              last_strobes_q;
  logic                    final_q;

  stream_fifo #(
    .Width(AddressWidth - 3 + CountWidth + 9),
    .Depth(2)
  ) u_commands (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (cmd_valid_i),
    .in_ready_o (cmd_ready_o),
    .in_data_i  ({cmd_address_i[AddressWidth-1:3], cmd_beats_i, cmd_last_strobes_i, cmd_final_i}),
    .out_valid_o(cmd_valid),
    .out_ready_i(cmd_ready),
    .out_data_o ({cmd_address[AddressWidth-1:3], cmd_beats, cmd_last_strobes, cmd_final})
  );
  assign cmd_address[2:0] = 3'd0;

  burst_splitter #(
    .AddressWidth(AddressWidth),
    .CountWidth  (CountWidth)
  ) u_splitter (
    .clk_i,
    .rst_ni,
    .abort_i,
    .cmd_valid_i    (cmd_valid),
    .cmd_ready_o    (cmd_ready),
    .cmd_address_i  (cmd_address),
    .cmd_beats_i    (cmd_beats),
    .burst_valid_o  (burst_valid),
    .burst_ready_i  (burst_ready),
    .burst_address_o(burst_address),
    .burst_beats_o  (burst_beats),
    .burst_last_o   (burst_last)
  );

  always_ff @(posedge clk_i) begin
    if (cmd_valid && cmd_ready) begin
      last_strobes_q <= cmd_last_strobes;
      final_q        <= cmd_final;
    end
  end

  // Requests, and how many bursts wait for their response.
  logic                    issue, slot_free, queue_ready;
  logic                    awvalid_q;
  logic [AddressWidth-1:0] awaddr_q;
  logic [3:0]              awlen_q;
  logic [PendingWidth-1:0] pending_q;
  logic                    acknowledged, final_burst, response_valid_q;
  logic [1:0]              response_q;
  logic                    unused_ready, unused_valid;

  assign slot_free    = !awvalid_q || m_axi_awready;
  assign burst_ready  = slot_free && queue_ready && pending_q < PendingWidth'(Outstanding);
  assign issue        = burst_valid && burst_ready;
  assign acknowledged = response_valid_q;

  // Every response is taken at once, and looked at a cycle later.
  always_ff @(posedge clk_i) begin
    response_q <= m_axi_bresp;
    if (!rst_ni) response_valid_q <= 1'b0;
    else response_valid_q <= m_axi_bvalid;
  end

  always_ff @(posedge clk_i) begin
    if (issue) begin
      awaddr_q <= burst_address;
      awlen_q  <= 4'(burst_beats - 5'd1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      awvalid_q <= 1'b0;
      pending_q <= '0;
    end else begin
      if (slot_free) awvalid_q <= issue;
      pending_q <= pending_q + PendingWidth'(issue) - PendingWidth'(acknowledged);
    end
  end

  // Of each burst that waits for its response, whether it ends a command marked final.
  stream_fifo #(
    .Width(1),
    .Depth(Outstanding)
  ) u_final (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (issue),
    .in_ready_o (unused_ready),  // there is room: see pending_q
    .in_data_i  (burst_last && final_q),
    .out_valid_o(unused_valid),
    .out_ready_i(acknowledged),
    .out_data_o (final_burst)
  );
  assign done_o = acknowledged && final_burst && !abort_i;

  // Bursts whose data are still to be sent: index of the last beat, and its strobes.
  logic       head_valid, beat_last, take;
  logic [3:0] head_last_beat;
  logic [7:0] head_strobes;
  logic [3:0] beat_q;
  logic       beat_free;
  logic       wvalid_q, wlast_q;
  logic [63:0] wdata_q;
  logic [7:0] wstrb_q;

  stream_fifo #(
    .Width(12),
    .Depth(Outstanding)
  ) u_to_send (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (issue),
    .in_ready_o (queue_ready),
    .in_data_i  ({4'(burst_beats - 5'd1), burst_last ? last_strobes_q : 8'hFF}),
    .out_valid_o(head_valid),
    .out_ready_i(take && beat_last),
    .out_data_o ({head_last_beat, head_strobes})
  );

  assign beat_free    = !wvalid_q || m_axi_wready;
  assign beat_last    = beat_q == head_last_beat;
  assign data_ready_o = head_valid && beat_free && !abort_i;
  assign take         = head_valid && beat_free && (data_valid_i || abort_i);

  always_ff @(posedge clk_i) begin
    if (take) begin
      wdata_q <= data_i;
      wlast_q <= beat_last;
      wstrb_q <= abort_i ? 8'h00 : beat_last ? head_strobes : 8'hFF;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wvalid_q <= 1'b0;
      beat_q   <= '0;
    end else begin
      if (beat_free) wvalid_q <= take;
      if (take) beat_q <= beat_last ? '0 : beat_q + 1'b1;
    end
  end

  assign m_axi_awid    = '0;
  assign m_axi_awaddr  = awaddr_q;
  assign m_axi_awlen   = {4'd0, awlen_q};
  assign m_axi_awsize  = 3'd3;   // 8 bytes
  assign m_axi_awburst = 2'b01;  // INCR
  assign m_axi_awvalid = awvalid_q;
  assign m_axi_wdata   = wdata_q;
  assign m_axi_wstrb   = wstrb_q;
  assign m_axi_wlast   = wlast_q;
  assign m_axi_wvalid  = wvalid_q;
  assign m_axi_bready  = 1'b1;

  assign error_valid_o    = response_valid_q && response_q[1];
  assign error_response_o = response_q;
  assign idle_o           = !cmd_valid && !burst_valid && pending_q == '0;
  assign stall_o          = (wvalid_q && !m_axi_wready) || (awvalid_q && !m_axi_awready);

  logic unused;
  assign unused = ^{m_axi_bid, cmd_address_i[2:0], unused_ready, unused_valid};

endmodule

`default_nettype wire
