// The five buffers of a core, and which words of a load go where.
//
// Latency: a cycle for every read. All clocks are one; each stops by itself in simulation, see
// clock_gate. The vector buffer has a memory for each group of four lanes, the bias buffer one for
// each half row: a load writes words, reads take rows. It does not check addresses: who gives them
// does.

`default_nettype none

module buffers #(
  parameter int unsigned Lanes       = 16,
  parameter int unsigned ScalarWords = 4096,  // powers of two, all of them
  parameter int unsigned VectorRows  = 1024,
  parameter int unsigned BiasRows    = 512,
  parameter int unsigned OutputWords = 2048,
  parameter int unsigned PartialRows = 2048
) (
  input  wire logic                           load_clk_i,
  input  wire logic                           front_clk_i,  // compute: scalar and vector
  input  wire logic                           back_clk_i,   // compute: all others
  input  wire logic                           store_clk_i,

  // The load unit writes a word of the scalar, vector or bias buffer.
  input  wire logic                           load_valid_i,
  input  wire logic [1:0]                     load_buffer_i,
  input  wire logic [specbp_pkg::PlaceWidth-1:0] load_place_i,
  input  wire logic [63:0]                    load_data_i,

  input  wire logic                           scalar_valid_i,
  input  wire logic [$clog2(ScalarWords)-1:0] scalar_address_i,
  output logic [63:0]                         scalar_o,
  input  wire logic                           vector_valid_i,
  input  wire logic [$clog2(VectorRows)-1:0]  vector_address_i,
  output logic [63:0]                         vector_o [Lanes/4],
  input  wire logic                           bias_valid_i,
  input  wire logic [$clog2(BiasRows)-1:0]    bias_address_i,
  output logic [127:0]                        bias_o,

  input  wire logic                           partial_valid_i,
  input  wire logic [$clog2(PartialRows)-1:0] partial_address_i,
  output specbp_pkg::sums_t                   partial_o,
  input  wire logic                           sums_valid_i,
  input  wire logic [$clog2(PartialRows)-1:0] sums_address_i,
  input  wire specbp_pkg::sums_t              sums_i,

  input  wire logic                           result_valid_i,
  input  wire logic [$clog2(OutputWords)-1:0] result_address_i,
  input  wire logic [63:0]                    result_i,
  input  wire logic                           output_valid_i,
  input  wire logic [$clog2(OutputWords)-1:0] output_address_i,
  output logic [63:0]                         output_o
);
  import specbp_pkg::*;

  localparam int unsigned Groups     = Lanes / 4;
  localparam int unsigned GroupWidth = $clog2(Groups);

  buffer_ram #(
    .Width(64),
    .Depth(ScalarWords)
  ) u_scalar (
    .write_clk_i    (load_clk_i),
    .write_valid_i  (load_valid_i && load_buffer_i == BufferScalar),
    .write_address_i(load_place_i[$clog2(ScalarWords)-1:0]),
    .write_data_i   (load_data_i),
    .read_clk_i     (front_clk_i),
    .read_valid_i   (scalar_valid_i),
    .read_address_i (scalar_address_i),
    .read_data_o    (scalar_o)
  );

  for (genvar group = 0; group < Groups; group++) begin : g_vector
    buffer_ram #(
      .Width(64),
      .Depth(VectorRows)
    ) u_vector (
      .write_clk_i    (load_clk_i),
      .write_valid_i  (load_valid_i && load_buffer_i == BufferVector
                       && load_place_i[GroupWidth-1:0] == GroupWidth'(group)),
      .write_address_i(load_place_i[GroupWidth+:$clog2(VectorRows)]),
      .write_data_i   (load_data_i),
      .read_clk_i     (front_clk_i),
      .read_valid_i   (vector_valid_i),
      .read_address_i (vector_address_i),
      .read_data_o    (vector_o[group])
    );
  end

  for (genvar half = 0; half < 2; half++) begin : g_bias
    buffer_ram #(
      .Width(64),
      .Depth(BiasRows)
    ) u_bias (
      .write_clk_i    (load_clk_i),
      .write_valid_i  (load_valid_i && load_buffer_i == BufferBias
                       && load_place_i[0] == 1'(half)),
      .write_address_i(load_place_i[1+:$clog2(BiasRows)]),
      .write_data_i   (load_data_i),
      .read_clk_i     (back_clk_i),
      .read_valid_i   (bias_valid_i),
      .read_address_i (bias_address_i),
      .read_data_o    (bias_o[64*half+:64])
    );
  end

  for (genvar lane = 0; lane < 4; lane++) begin : g_partial
    buffer_ram #(
      .Width(SumWidth),
      .Depth(PartialRows)
    ) u_partial (
      .write_clk_i    (back_clk_i),
      .write_valid_i  (sums_valid_i),
      .write_address_i(sums_address_i),
      .write_data_i   (sums_i[lane]),
      .read_clk_i     (back_clk_i),
      .read_valid_i   (partial_valid_i),
      .read_address_i (partial_address_i),
      .read_data_o    (partial_o[lane])
    );
  end

  buffer_ram #(
    .Width(64),
    .Depth(OutputWords)
  ) u_output (
    .write_clk_i    (back_clk_i),
    .write_valid_i  (result_valid_i),
    .write_address_i(result_address_i),
    .write_data_i   (result_i),
    .read_clk_i     (store_clk_i),
    .read_valid_i   (output_valid_i),
    .read_address_i (output_address_i),
    .read_data_o    (output_o)
  );

  logic unused;
  assign unused = ^{load_place_i};

endmodule

`default_nettype wire
