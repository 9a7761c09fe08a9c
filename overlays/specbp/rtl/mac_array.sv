// The lanes: one scalar of a word times a row of the vector buffer, a row in every cycle.
//
// Latency: the sums are kept 5 cycles after `valid_i` with `last_i`, until the next are; `kept_i`
// chooses four of them, combinationally. It does not stall: who asks for a result has room for it.

`default_nettype none

module mac_array #(
  parameter int unsigned Lanes = 16
) (
  input  wire logic                       clk_i,
  input  wire logic                       rst_ni,
  input  wire logic                       abort_i,

  // The addresses were given to the buffers in this cycle; words are here in the next.
  input  wire logic                       valid_i,
  input  wire logic                       first_i,
  input  wire logic                       last_i,
  input  wire logic                       final_i,    // travels along to `keep_o`
  input  wire logic [1:0]                 element_i,  // of the scalar word
  input  wire logic [63:0]                scalar_i,
  input  wire logic [16*Lanes-1:0]        vector_i,
  output logic                            keep_o,  // a result is kept at the end of this cycle
  output logic                            keep_final_o,
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
  sum_t        kept [Lanes];

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
  assign multiplying_o = valid_q[1];

  for (genvar lane = 0; lane < Lanes; lane++) begin : g_lanes
    mac_lane u_lane (
      .clk_i,
      .operand_valid_i(valid_q[0]),
      .scalar_i       (scalar),
      .vector_i       (vector_i[16*lane+:16]),
      .product_valid_i(valid_q[1]),
      .sum_valid_i    (valid_q[2]),
      .sum_first_i    (first_q[2]),
      .keep_i         (keep_o),
      .kept_o         (kept[lane])
    );
  end

  always_comb begin
    for (int lane = 0; lane < 4; lane++) begin
      sums_o[lane] = kept[{group_i, 2'(lane)}];
    end
  end

endmodule

`default_nettype wire
