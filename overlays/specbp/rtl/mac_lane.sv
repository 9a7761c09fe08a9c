// One multiply-accumulate lane: a DSP48E1 (operands, product, sum: its own registers) and a register
// that keeps a finished sum while the next one grows.
//
// Latency: 3 cycles from operands to sum. It adds nothing but products; the sum wraps at 48 bits.

`default_nettype none

module mac_lane (
  input  wire logic               clk_i,
  input  wire logic               operand_valid_i,
  input  wire logic signed [15:0] scalar_i,
  input  wire logic signed [15:0] vector_i,
  input  wire logic               product_valid_i,  // a cycle after the operands
  input  wire logic               sum_valid_i,      // a cycle after the product
  input  wire logic               sum_first_i,
  input  wire logic               keep_i,           // the sum is finished
  output specbp_pkg::sum_t        kept_o
);
  import specbp_pkg::*;

  logic signed [15:0] scalar_q, vector_q;
  logic signed [31:0] product_q;
  sum_t               sum_q, kept_q;

  always_ff @(posedge clk_i) begin
    if (operand_valid_i) begin
      scalar_q <= scalar_i;
      vector_q <= vector_i;
    end
    if (product_valid_i) product_q <= scalar_q * vector_q;
    if (sum_valid_i) sum_q <= (sum_first_i ? 48'sd0 : sum_q) + SumWidth'(product_q);
    if (keep_i) kept_q <= sum_q;
  end

  assign kept_o = kept_q;

endmodule

`default_nettype wire
