// Adds bias, partial sum or element-wise result to four sums, and rounds them: the one pipeline
// through which all lanes' results leave.
//
// Stages, one cycle each: 0 sums are taken, and the buffers read; 1 the addend arrives and is
// shifted; 2 added; 3 the sum is there (`sums_o`); 4 to 6 rounded; 7 the result is there
// (`results_o`). A group of four a cycle. The settings hold still while sums are inside.

`default_nettype none

module requantiser (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,
  input  wire logic                abort_i,

  input  wire specbp_pkg::result_e kind_i,
  input  wire specbp_pkg::addend_e addend_i,
  input  wire logic                relu_i,
  input  wire logic [5:0]          shift_i,
  input  wire logic [5:0]          left_i,

  input  wire logic                valid_i,
  input  wire logic [1:0]          mark_i,  // travels along
  input  wire specbp_pkg::sums_t   sums_i,
  output logic                     active_o,  // something is inside
  // Stage 1.
  output logic [1:0]               mark_1_o,
  input  wire logic [3:0][31:0]    bias_i,
  input  wire specbp_pkg::sums_t   partial_i,
  input  wire logic [3:0][31:0]    element_i,
  // Stage 3.
  output logic                     sums_valid_o,
  output specbp_pkg::sums_t        sums_o,
  // Stage 7.
  output logic                     results_valid_o,
  output logic [1:0]               results_mark_o,
  output logic [3:0][31:0]         results_o
);
  import specbp_pkg::*;

  logic [7:1]      valid_q;
  logic [7:1][1:0] mark_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) valid_q <= '0;
    else valid_q <= {valid_q[6:1], valid_i};
  end

  always_ff @(posedge clk_i) begin
    mark_q <= {mark_q[6:1], mark_i};
  end

  for (genvar lane = 0; lane < 4; lane++) begin : g_lanes
    sum_t sum_1_q, sum_2_q, addend, addend_q, total_q;

    always_comb begin
      unique case (addend_i)
        AddendBias:    addend = SumWidth'($signed(bias_i[lane])) <<< left_i;
        AddendPartial: addend = partial_i[lane];
        AddendElement: addend = SumWidth'($signed(element_i[lane]));
        default:       addend = '0;
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        if (addend_i == AddendElement) sum_1_q <= '0;
        else sum_1_q <= sums_i[lane];
      end
      if (valid_q[1]) begin
        sum_2_q  <= sum_1_q;
        addend_q <= addend;
      end
      if (valid_q[2]) total_q <= sum_2_q + addend_q;
    end

    requantise_lane u_lane (
      .clk_i,
      .valid_i (kind_i == ResultSums ? 4'd0 : valid_q[6:3]),
      .sum_i   (total_q),
      .shift_i,
      .narrow_i(kind_i != ResultInt32),
      .raw_i   (kind_i == ResultRaw),
      .relu_i,
      .result_o(results_o[lane])
    );

    assign sums_o[lane] = total_q;
  end

  assign active_o        = valid_q != '0;
  assign mark_1_o        = mark_q[1];
  assign sums_valid_o    = valid_q[3];
  assign results_valid_o = valid_q[7];
  assign results_mark_o  = mark_q[7];

endmodule

`default_nettype wire
