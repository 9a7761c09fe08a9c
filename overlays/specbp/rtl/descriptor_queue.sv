// Descriptors that wait for their unit; the head is a register.
//
// Keeps the lower `Words` words of each. Latency: the head is there two cycles after it came into
// an empty queue, the next head a cycle after one was taken. It does not look into descriptors.

`default_nettype none

module descriptor_queue #(
  parameter int unsigned Words = 16,
  parameter int unsigned Depth = 8  // beside the head; a power of two
) (
  input  wire logic                     clk_i,
  input  wire logic                     rst_ni,
  input  wire logic                     abort_i,

  input  wire logic                     valid_i,
  output logic                          ready_o,
  input  wire specbp_pkg::descriptor_t  descriptor_i,
  input  wire logic [31:0]              index_i,

  output logic                          empty_o,
  output logic                          active_o,  // something changes in this cycle
  output logic                          head_valid_o,
  input  wire logic                     head_done_i,
  output logic [Words-1:0][31:0]        head_o,
  output logic [31:0]                   index_o
);

  logic                   waiting, move, head_valid_q;
  logic [Words-1:0][31:0] next, head_q;
  logic [31:0]            next_index, index_q;
  logic                   unused_ready, unused_valid;

  stream_fifo #(
    .Width(32 * Words),
    .Depth(Depth)
  ) u_descriptors (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (valid_i),
    .in_ready_o (ready_o),
    .in_data_i  (descriptor_i[Words-1:0]),
    .out_valid_o(waiting),
    .out_ready_i(move),
    .out_data_o (next)
  );

  stream_fifo #(
    .Width(32),
    .Depth(Depth)
  ) u_indices (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (valid_i),
    .in_ready_o (unused_ready),
    .in_data_i  (index_i),
    .out_valid_o(unused_valid),
    .out_ready_i(move),
    .out_data_o (next_index)
  );

  assign move         = waiting && (!head_valid_q || head_done_i);
  assign head_valid_o = head_valid_q;
  assign empty_o      = !waiting && !head_valid_q;
  assign active_o     = (valid_i && ready_o) || move || head_done_i;
  assign head_o       = head_q;
  assign index_o      = index_q;

  always_ff @(posedge clk_i) begin
    if (move) begin
      head_q  <= next;
      index_q <= next_index;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) head_valid_q <= 1'b0;
    else if (move) head_valid_q <= 1'b1;
    else if (head_done_i) head_valid_q <= 1'b0;
  end

  logic unused;
  assign unused = ^{descriptor_i, unused_ready, unused_valid};

endmodule

`default_nettype wire
