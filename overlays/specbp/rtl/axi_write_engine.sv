// Writes memory: commands (address, beats, strobes of the last beat) and a stream of 64-bit beats.
//
// INCR bursts of up to 16 beats that respect 4 KB boundaries, at most `Outstanding` without
// their response. Latency: AWVALID two cycles after the command, WVALID one cycle after its data,
// never before the burst was requested. No input of the port reaches an output, or anything but
// registers here, within a cycle. While aborted it requests nothing new and fills the bursts already
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
  output logic                         active_o,  // something changes in this cycle
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

  logic                    burst_valid, burst_ready, burst_last;
  logic [AddressWidth-1:0] burst_address;
  logic [4:0]              burst_beats;
  logic [7:0]              last_strobes_q;
  logic                    final_q;

  burst_splitter #(
    .AddressWidth(AddressWidth),
    .CountWidth  (CountWidth)
  ) u_splitter (
    .clk_i,
    .rst_ni,
    .abort_i,
    .cmd_valid_i,
    .cmd_ready_o,
    .cmd_address_i,
    .cmd_beats_i,
    .burst_valid_o  (burst_valid),
    .burst_ready_i  (burst_ready),
    .burst_address_o(burst_address),
    .burst_beats_o  (burst_beats),
    .burst_last_o   (burst_last)
  );

  always_ff @(posedge clk_i) begin
    if (cmd_valid_i && cmd_ready_o) begin
      last_strobes_q <= cmd_last_strobes_i;
      final_q        <= cmd_final_i;
    end
  end

  // Requests, and how many bursts wait for their response.
  logic                    issue, requests_ready, queue_ready;
  logic [PendingWidth-1:0] pending_q;
  logic                    acknowledged, final_burst, response_valid_q;
  logic [1:0]              response_q;
  logic                    unused_ready, unused_valid;

  assign burst_ready  = requests_ready && queue_ready && pending_q < PendingWidth'(Outstanding);
  assign issue        = burst_valid && burst_ready;
  assign acknowledged = response_valid_q;

  // Every response is taken at once, and looked at a cycle later.
  always_ff @(posedge clk_i) begin
    response_q <= m_axi_bresp;
    if (!rst_ni) response_valid_q <= 1'b0;
    else response_valid_q <= m_axi_bvalid;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) pending_q <= '0;
    else pending_q <= pending_q + PendingWidth'(issue) - PendingWidth'(acknowledged);
  end

  // Requests on their way to the port. Once made they stay until they are taken, aborted or not.
  stream_fifo #(
    .Width(AddressWidth + 1),
    .Depth(2)
  ) u_requests (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (issue),
    .in_ready_o (requests_ready),
    .in_data_i  ({burst_address[AddressWidth-1:3], 4'(burst_beats - 5'd1)}),
    .out_valid_o(m_axi_awvalid),
    .out_ready_i(m_axi_awready),
    .out_data_o ({m_axi_awaddr[AddressWidth-1:3], m_axi_awlen[3:0]})
  );

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
  logic       beats_ready, unused_marks_ready, unused_marks_valid;

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

  assign beat_last    = beat_q == head_last_beat;
  assign data_ready_o = head_valid && beats_ready && !abort_i;
  assign take         = head_valid && beats_ready && (data_valid_i || abort_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) beat_q <= '0;
    else if (take) beat_q <= beat_last ? '0 : beat_q + 1'b1;
  end

  // Beats on their way to the port.
  stream_fifo #(
    .Width(64),
    .Depth(2)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (take),
    .in_ready_o (beats_ready),
    .in_data_i  (data_i),
    .out_valid_o(m_axi_wvalid),
    .out_ready_i(m_axi_wready),
    .out_data_o (m_axi_wdata)
  );

  stream_fifo #(
    .Width(9),
    .Depth(2)
  ) u_marks (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (take),
    .in_ready_o (unused_marks_ready),
    .in_data_i  ({abort_i ? 8'h00 : beat_last ? head_strobes : 8'hFF, beat_last}),
    .out_valid_o(unused_marks_valid),
    .out_ready_i(m_axi_wready),
    .out_data_o ({m_axi_wstrb, m_axi_wlast})
  );

  assign m_axi_awid    = '0;
  assign m_axi_awaddr[2:0] = 3'd0;
  assign m_axi_awlen[7:4]  = 4'd0;
  assign m_axi_awsize  = 3'd3;   // 8 bytes
  assign m_axi_awburst = 2'b01;  // INCR
  assign m_axi_bready  = 1'b1;

  assign error_valid_o    = response_valid_q && response_q[1];
  assign error_response_o = response_q;
  assign idle_o           = !burst_valid && pending_q == '0;
  assign active_o         = (cmd_valid_i && cmd_ready_o) || issue || take || m_axi_bvalid
      || response_valid_q || (m_axi_awvalid && m_axi_awready) || (m_axi_wvalid && m_axi_wready);
  assign stall_o          = (m_axi_wvalid && !m_axi_wready) || (m_axi_awvalid && !m_axi_awready);

  logic unused;
  assign unused = ^{m_axi_bid, burst_address[2:0], unused_marks_ready, unused_marks_valid,
                    unused_ready, unused_valid};

endmodule

`default_nettype wire
