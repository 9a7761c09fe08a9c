// Rounds a 48-bit sum to int16 or int32: Q16, Q32 of ARITHMETIC.md, and ReLU.
//
// Latency: 4 cycles; a sum a cycle. The settings hold still while sums are inside. Rounding is
// exact: (v + 2^(s-1)) >> s is (v >> s) plus the bit that was shifted out last.

`default_nettype none

module requantise_lane (
  input  wire logic               clk_i,
  input  wire logic [3:0]         valid_i,   // of each of the four stages
  input  wire specbp_pkg::sum_t   sum_i,
  input  wire logic [5:0]         shift_i,   // 0 to 47
  input  wire logic               narrow_i,  // int16
  input  wire logic               raw_i,     // the low bits as they are
  input  wire logic               relu_i,
  output logic [31:0]             result_o
);
  import specbp_pkg::*;

  // Shifted by fours, then by ones; the lowest bit is the one that rounds.
  logic signed [SumWidth:0] coarse_q, fine_q;
  logic signed [32:0]       rounded_q;
  logic                     sign_q, beyond_16_q, beyond_32_q;
  logic                     above, below;
  logic [31:0]              limit, result_q;

  always_ff @(posedge clk_i) begin
    if (valid_i[0]) coarse_q <= $signed({sum_i, 1'b0}) >>> {shift_i[5:2], 2'b00};
    if (valid_i[1]) fine_q <= coarse_q >>> shift_i[1:0];
    if (valid_i[2]) begin
      rounded_q   <= $signed(fine_q[33:1]) + $signed({32'd0, fine_q[0]});
      sign_q      <= fine_q[SumWidth];
      beyond_16_q <= fine_q[SumWidth:16] != {(SumWidth - 15) {fine_q[SumWidth]}};
      beyond_32_q <= fine_q[SumWidth:32] != {(SumWidth - 31) {fine_q[SumWidth]}};
    end
    if (valid_i[3]) begin
      if (raw_i) result_q <= rounded_q[31:0];
      else if (relu_i && (below || (rounded_q[32] && !above))) result_q <= '0;
      else if (above) result_q <= limit;
      else if (below) result_q <= -limit;
      else result_q <= rounded_q[31:0];
    end
  end

  assign limit = narrow_i ? 32'h0000_7FFF : 32'h7FFF_FFFF;

  // Beyond by the bits shifted out above, or rounded up to one more than the largest, or the one
  // number below the smallest.
  always_comb begin
    if (narrow_i) begin
      above = beyond_16_q ? !sign_q : !sign_q && rounded_q[15];
      below = beyond_16_q ? sign_q : rounded_q[15:0] == 16'h8000 && sign_q;
    end else begin
      above = beyond_32_q ? !sign_q : !sign_q && rounded_q[31];
      below = beyond_32_q ? sign_q : rounded_q[31:0] == 32'h8000_0000 && sign_q;
    end
  end

  assign result_o = result_q;

endmodule

`default_nettype wire
