// First-in first-out queue between two valid/ready streams.
//
// Latency: an item can leave one cycle after it came. Full throughput.
// Storage is distributed RAM; `Depth` is a power of two. It does not use block RAM: a queue that
// deep wants an output register, which this one does not have.

`default_nettype none

module stream_fifo #(
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 64
) (
  input  wire logic             clk_i,
  input  wire logic             rst_ni,
  // Forgets all items.
  input  wire logic             clear_i,

  input  wire logic             in_valid_i,
  output logic                  in_ready_o,
  input  wire logic [Width-1:0] in_data_i,

  output logic                  out_valid_o,
  input  wire logic             out_ready_i,
  output logic [Width-1:0]      out_data_o
);

  localparam int unsigned IndexWidth = $clog2(Depth);

  logic [Width-1:0] storage_q [Depth];
  // One bit more than an index: equal is empty, equal but for the top bit is full.
  logic [IndexWidth:0] write_q, read_q;
  logic push, pop;

  assign in_ready_o  = (write_q ^ read_q) != (IndexWidth + 1)'(Depth);
  assign out_valid_o = write_q != read_q;
  assign out_data_o  = storage_q[read_q[IndexWidth-1:0]];
  assign push        = in_valid_i && in_ready_o;
  assign pop         = out_valid_o && out_ready_i;

  always_ff @(posedge clk_i) begin
    if (push) storage_q[write_q[IndexWidth-1:0]] <= in_data_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      write_q <= '0;
      read_q  <= '0;
    end else begin
      if (push) write_q <= write_q + 1'b1;
      if (pop) read_q <= read_q + 1'b1;
    end
  end

endmodule

`default_nettype wire
