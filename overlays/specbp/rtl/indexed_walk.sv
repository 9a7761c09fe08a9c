// A strided_walk over memory whose outermost level may go through the index table.
//
// Indexed, the i-th iteration of the outermost level begins at first + table[base + i] * stride in
// place of first + i * stride. Each is looked up and multiplied while the one before is walked; the
// first is there 5 cycles after `start_i`, a plain walk's after 1. Settings stay as they are until
// the last step. The table's word comes a cycle after it was asked for. It does not check addresses,
// but says whether an indexed one has 32 bits.

`default_nettype none

module indexed_walk #(
  parameter int unsigned Levels = 4
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,
  input  wire logic                    abort_i,

  input  wire logic                    start_i,
  input  wire logic [31:0]             first_i,
  input  wire logic [Levels-1:0][15:0] counts_i,
  input  wire logic [Levels-1:0][31:0] strides_i,
  input  wire logic                    indexed_i,
  input  wire logic [9:0]              table_base_i,

  output logic                         table_valid_o,
  output logic [9:0]                   table_address_o,
  input  wire logic [15:0]             table_data_i,

  output logic                         active_o,  // from the cycle after the start to the last step
  output logic                         looking_up_o,  // something changes in this cycle, unasked
  output logic                         valid_o,
  output logic [31:0]                  address_o,
  output logic                         fits_o,
  output logic                         last_o,
  input  wire logic                    step_i
);

  // The next iteration of the outermost level: read, multiply, add, and wait for its turn.
  typedef enum logic [2:0] {StNone, StRead, StMultiply, StAdd, StReady} state_e;

  state_e                  state_q;
  logic [9:0]              entry_q;
  logic [15:0]             left_q;  // iterations not yet begun
  logic [39:0]             product_q;
  logic [40:0]             next_q;
  logic                    fits_q, walk_start, walk_last, unused_inner;
  logic [Levels-1:0][15:0] counts;

  assign walk_start = indexed_i ? state_q == StReady && (!valid_o || (step_i && walk_last))
      : start_i;

  always_comb begin
    counts = counts_i;
    if (indexed_i) counts[Levels-1] = 16'd1;
  end

  strided_walk #(
    .AddressWidth(32),
    .Levels      (Levels)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .abort_i,
    .start_i     (walk_start),
    .first_i     (indexed_i ? next_q[31:0] : first_i),
    .counts_i    (counts),
    .strides_i,
    .valid_o,
    .address_o,
    .last_o      (walk_last),
    .inner_last_o(unused_inner),
    .step_i
  );

  assign active_o        = valid_o || state_q != StNone;
  assign looking_up_o    = state_q == StRead || state_q == StMultiply || state_q == StAdd
      || (indexed_i && walk_start);
  assign last_o          = walk_last && (!indexed_i || left_q == '0);
  assign fits_o          = !indexed_i || fits_q;
  assign table_valid_o   = state_q == StRead;
  assign table_address_o = entry_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      state_q <= StNone;
    end else begin
      unique case (state_q)
        StNone:     if (start_i && indexed_i) state_q <= StRead;
        StRead:     state_q <= StMultiply;
        StMultiply: state_q <= StAdd;
        StAdd:      state_q <= StReady;
        default:    if (walk_start) state_q <= left_q == 16'd1 ? StNone : StRead;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i && indexed_i) begin
      entry_q <= table_base_i;
      left_q  <= counts_i[Levels-1];
    end else if (state_q == StReady && walk_start) begin
      entry_q <= entry_q + 10'd1;
      left_q  <= left_q - 16'd1;
      fits_q  <= next_q[40:32] == '0;
    end
    if (state_q == StMultiply) product_q <= table_data_i * strides_i[Levels-1][23:0];
    if (state_q == StAdd) next_q <= 41'(first_i) + 41'(product_q);
  end

  logic unused;
  assign unused = ^{unused_inner};

endmodule

`default_nettype wire
