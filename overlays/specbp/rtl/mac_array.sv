// The lanes: one scalar of a word times a row of the vector buffer, a row in every cycle.
//
// Each lane is a DSP48E1 (operands, product, sum: its own registers) and a register that keeps a
// finished sum while the next one grows. Latency: the sums are kept 5 cycles after `valid_i` with
// `last_i`, until the next are; `group_i` chooses four of them, combinationally. It adds nothing but
// products; sums wrap at 48 bits. It does not stall: who asks for a result has room for it.
//
// All lanes are one array in each stage, so that a simulator can work on them at once.

`default_nettype none

module mac_array #(
  parameter int unsigned Lanes = 16
) (
  input  wire logic                       clk_i,
  input  wire logic                       keep_clk_i,  // of the kept sums; see clock_gate
  input  wire logic                       rst_ni,
  input  wire logic                       abort_i,

  // The addresses were given to the buffers in this cycle; words are here in the next.
  input  wire logic                       valid_i,
  input  wire logic                       first_i,
  input  wire logic                       last_i,
  input  wire logic                       final_i,    // travels along to `keep_o`
  input  wire logic [1:0]                 element_i,  // of the scalar word
  input  wire logic [63:0]                scalar_i,
  input  wire logic [63:0]                vector_i [Lanes/4],
  output logic                            keep_o,  // a result is kept at the end of this cycle
  output logic                            keep_final_o,
  output logic                            active_o,  // something changes in this cycle, unasked
  output logic                            multiplying_o,

  input  wire logic [$clog2(Lanes/4)-1:0] group_i,
  output specbp_pkg::sums_t               sums_o
);
  import specbp_pkg::*;

  // Stages: 0 operands arrive, 1 they are registered, 2 product, 3 sum.
  logic [3:0]  valid_q, last_q, final_q;
  logic [2:0]  first_q;
  logic [1:0]  element_q;
  logic [15:0] scalar;

  always_ff @(posedge clk_i) begin
    first_q   <= {first_q[1:0], first_i};
    last_q    <= {last_q[2:0], last_i};
    final_q   <= {final_q[2:0], final_i};
    element_q <= element_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) valid_q <= '0;
    else valid_q <= {valid_q[2:0], valid_i};
  end

  assign scalar        = scalar_i[16*element_q+:16];
  assign keep_o        = valid_q[3] && last_q[3];
  assign keep_final_o  = final_q[3];
  assign active_o      = valid_q != '0;
  assign multiplying_o = valid_q[1];

  typedef logic signed [15:0] operands_t [Lanes];
  typedef logic signed [31:0] products_t [Lanes];
  typedef sum_t               lane_sums_t [Lanes];

  operands_t  scalars, scalars_q, vectors, vectors_q;
  products_t  products, products_q;
  lane_sums_t sums, sums_q, kept_q;

  always_comb begin
    for (int lane = 0; lane < Lanes; lane++) begin
      scalars[lane] = scalar;
      vectors[lane] = vector_i[lane/4][16*(lane%4)+:16];
    end
  end

  always_comb begin
    for (int lane = 0; lane < Lanes; lane++) products[lane] = scalars_q[lane] * vectors_q[lane];
  end

  always_comb begin
    for (int lane = 0; lane < Lanes; lane++) begin
      sums[lane] = (first_q[2] ? 48'sd0 : sums_q[lane]) + SumWidth'(products_q[lane]);
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_q[0]) begin
      scalars_q <= scalars;
      vectors_q <= vectors;
    end
    if (valid_q[1]) products_q <= products;
    if (valid_q[2]) sums_q <= sums;
  end

  always_ff @(posedge keep_clk_i) begin
    if (keep_o) kept_q <= sums_q;
  end

  always_comb begin
    for (int lane = 0; lane < 4; lane++) sums_o[lane] = kept_q[{group_i, 2'(lane)}];
  end

endmodule

`default_nettype wire
