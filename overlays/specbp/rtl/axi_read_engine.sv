// Reads memory: commands (address, beats) in, a stream of 64-bit beats out, in order.
//
// INCR bursts of up to 16 beats that respect 4 KB boundaries, at most `Outstanding` under way.
// Latency: ARVALID two cycles after the command; read data pass through one register. No input of
// the port reaches an output, or anything but registers here, within a cycle.
// Commands queue up back to back: the next one's bursts are requested while data of the last
// still come. While aborted it requests nothing new and throws away what still comes, so that the
// memory port is left clean. It does not check the order of IDs (there is only one), nor RLAST
// against the length it asked for, and it takes no unaligned addresses.
//
// Bus ports have AXI's own names, without _i and _o: Vivado and cocotbext-axi go by them.

`default_nettype none

module axi_read_engine #(
  parameter int unsigned AddressWidth = 32,
  parameter int unsigned CountWidth   = 24,
  parameter int unsigned Outstanding  = 8  // a power of two
) (
  // One clock; each of its names stops by itself in simulation, see clock_gate.
  input  wire logic                    clk_i,          // data, and what is under way
  input  wire logic                    request_clk_i,  // bursts and requests
  input  wire logic                    rst_ni,
  input  wire logic                    abort_i,
  output logic                         idle_o,   // nothing to do and nothing under way
  output logic                         active_o,  // something changes in this cycle
  output logic                         requesting_o,  // likewise, of requests
  output logic                         stall_o,  // waits for the memory

  input  wire logic                    cmd_valid_i,
  output logic                         cmd_ready_o,
  input  wire logic [AddressWidth-1:0] cmd_address_i,
  input  wire logic [CountWidth-1:0]   cmd_beats_i,

  output logic                         data_valid_o,
  input  wire logic                    data_ready_i,
  output logic [63:0]                  data_o,
  output logic [1:0]                   data_response_o,  // the beat's RRESP
  output logic                         data_last_o,      // the last beat of its command

  output logic [0:0]                   m_axi_arid,
  output logic [AddressWidth-1:0]      m_axi_araddr,
  output logic [7:0]                   m_axi_arlen,
  output logic [2:0]                   m_axi_arsize,
  output logic [1:0]                   m_axi_arburst,
  output logic                         m_axi_arvalid,
  input  wire logic                    m_axi_arready,
  input  wire logic [0:0]              m_axi_rid,
  input  wire logic [63:0]             m_axi_rdata,
  input  wire logic [1:0]              m_axi_rresp,
  input  wire logic                    m_axi_rlast,
  input  wire logic                    m_axi_rvalid,
  output logic                         m_axi_rready
);

  logic                    burst_valid, burst_ready, burst_last;
  logic [AddressWidth-1:0] burst_address;
  logic [4:0]              burst_beats;
  logic                    request, requests_ready, queue_ready, under_way, last_of_command;
  logic                    unused_ready, unused_valid;

  burst_splitter #(
    .AddressWidth(AddressWidth),
    .CountWidth  (CountWidth)
  ) u_splitter (
    .clk_i          (request_clk_i),
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

  // What is under way: for each burst, whether it is the last of its command.
  stream_fifo #(
    .Width(1),
    .Depth(Outstanding)
  ) u_under_way (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (request),
    .in_ready_o (queue_ready),
    .in_data_i  (burst_last),
    .out_valid_o(under_way),
    .out_ready_i(m_axi_rvalid && m_axi_rready && m_axi_rlast),
    .out_data_o (last_of_command)
  );

  assign burst_ready = requests_ready && queue_ready;
  assign request     = burst_valid && burst_ready;

  // Requests on their way to the port. Once made they stay until they are taken, aborted or not.
  stream_fifo #(
    .Width(AddressWidth + 1),
    .Depth(2)
  ) u_requests (
    .clk_i      (request_clk_i),
    .rst_ni,
    .clear_i    (1'b0),
    .in_valid_i (request),
    .in_ready_o (requests_ready),
    .in_data_i  ({burst_address[AddressWidth-1:3], 4'(burst_beats - 5'd1)}),
    .out_valid_o(m_axi_arvalid),
    .out_ready_i(m_axi_arready),
    .out_data_o ({m_axi_araddr[AddressWidth-1:3], m_axi_arlen[3:0]})
  );

  assign m_axi_arid    = '0;
  assign m_axi_araddr[2:0] = 3'd0;
  assign m_axi_arlen[7:4]  = 4'd0;
  assign m_axi_arsize  = 3'd3;   // 8 bytes
  assign m_axi_arburst = 2'b01;  // INCR

  // Read data on their way to the client: two words, so that they flow every cycle.
  logic taken, data_ready;

  assign taken = m_axi_rvalid && m_axi_rready && !abort_i;

  stream_fifo #(
    .Width(64),
    .Depth(2)
  ) u_data (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (taken),
    .in_ready_o (data_ready),
    .in_data_i  (m_axi_rdata),
    .out_valid_o(data_valid_o),
    .out_ready_i(data_ready_i),
    .out_data_o (data_o)
  );

  stream_fifo #(
    .Width(3),
    .Depth(2)
  ) u_marks (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (taken),
    .in_ready_o (unused_ready),
    .in_data_i  ({m_axi_rresp, m_axi_rlast && last_of_command}),
    .out_valid_o(unused_valid),
    .out_ready_i(data_ready_i),
    .out_data_o ({data_response_o, data_last_o})
  );
  assign m_axi_rready = data_ready || abort_i;

  assign idle_o       = !burst_valid && !under_way;
  assign active_o     = request || (m_axi_rvalid && m_axi_rready) || (data_valid_o && data_ready_i);
  assign requesting_o = (cmd_valid_i && cmd_ready_o) || request || (m_axi_arvalid && m_axi_arready);
  assign stall_o      = under_way && m_axi_rready && !m_axi_rvalid;

  logic unused;
  assign unused = ^{m_axi_rid, burst_address[2:0], unused_ready, unused_valid};

endmodule

`default_nettype wire
