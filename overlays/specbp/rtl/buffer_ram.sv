// On-chip memory with a write port and a read port: block RAM.
//
// Latency: a cycle from `read_valid_i` to `read_data_o`, which then holds until the next read. A
// read of the word that is written in the same cycle gives what was there before. Nothing is
// reset.
//
// Both ports have one clock; it has two names so that each stops by itself in simulation, see
// clock_gate.

`default_nettype none

module buffer_ram #(
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 512  // a power of two
) (
  input  wire logic                     write_clk_i,
  input  wire logic                     write_valid_i,
  input  wire logic [$clog2(Depth)-1:0] write_address_i,
  input  wire logic [Width-1:0]         write_data_i,
  input  wire logic                     read_clk_i,
  input  wire logic                     read_valid_i,
  input  wire logic [$clog2(Depth)-1:0] read_address_i,
  output logic [Width-1:0]              read_data_o
);

  (* ram_style = "block" *)
  logic [Width-1:0] words_q [Depth];

  always_ff @(posedge write_clk_i) begin
    if (write_valid_i) words_q[write_address_i] <= write_data_i;
  end

  always_ff @(posedge read_clk_i) begin
    if (read_valid_i) read_data_o <= words_q[read_address_i];
  end

endmodule

`default_nettype wire
