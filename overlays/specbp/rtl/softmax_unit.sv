// SOFTMAX: probabilities and deltas of samples, as ARITHMETIC.md section 4 defines them.
//
// Three passes over the classes of a sample, each reading the logits anew: the maximum; the sum of
// the exponentials; the quotients. About 19 cycles a class and 25 a sample: the divider finds a bit
// a cycle. The settings hold still from `start_i` to `done_o`. It does not check addresses.

`default_nettype none

module softmax_unit (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,
  input  wire logic                abort_i,

  input  wire logic                start_i,
  input  wire logic [15:0]         logits_i,         // word
  input  wire logic [15:0]         labels_i,         // int16
  input  wire logic [15:0]         probabilities_i,  // output word
  input  wire logic [15:0]         deltas_i,
  input  wire logic [8:0]          classes_i,
  input  wire logic [5:0]          shift_i,          // f + 6
  input  wire logic [15:0]         samples_i,
  output logic                     done_o,           // with the last write

  output logic                     read_valid_o,
  output specbp_pkg::result_t      read_address_o,
  input  wire logic [63:0]         read_data_i,
  output logic                     write_valid_o,
  output specbp_pkg::result_t      write_address_o,
  output logic [63:0]              write_data_o
);
  import specbp_pkg::*;

  localparam logic [15:0] One  = 16'd16384;
  localparam logic [14:0] Log2 = 15'd23637;  // log2(e) * 2^14
  localparam int unsigned QuotientBits = 15;

  typedef enum logic [2:0] {StIdle, StLabel, StMaximum, StSum, StDivide} state_e;

  state_e       state_q;
  logic [8:0]   class_q;  // the next to be read
  logic [15:0]  samples_q;
  result_t      logits_q, probabilities_q, deltas_q;
  logic [17:0]  labels_q;
  logic         all_read, issue, label_arrives_q, pending_q, sample_done;
  logic [15:0]  label_q;

  // The pipeline of a class, from its read on: 1 word, 2 z, 3 d, 4 product, 5 t, 6 table, 7 e.
  logic [7:1]         valid_q;
  logic [1:0]         element_q;
  logic signed [15:0] z_q, maximum_q;
  logic [15:0]        d_q, table_q;
  logic [30:0]        product_q;
  logic [7:0]         fraction_q;
  logic [4:0]         octaves_5_q, octaves_6_q;
  logic               tiny_5_q, tiny_6_q;
  logic [23:0]        e_q;
  logic [31:0]        sum_q;

  assign all_read = class_q == classes_i;

  always_comb begin
    unique case (state_q)
      StMaximum, StSum: issue = !all_read;
      StDivide:         issue = !all_read && !pending_q;
      default:          issue = 1'b0;
    endcase
  end

  assign read_valid_o   = issue || state_q == StLabel;
  assign read_address_o = state_q == StLabel ? ResultWidth'(labels_q[17:2])
      : logits_q + ResultWidth'(class_q[8:2]);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      state_q         <= StIdle;
      valid_q         <= '0;
      label_arrives_q <= 1'b0;
    end else if (state_q != StIdle || start_i) begin
      valid_q         <= {valid_q[6:3], valid_q[2] && state_q != StMaximum, valid_q[1], issue};
      label_arrives_q <= state_q == StLabel;
      unique case (state_q)
        StIdle:    if (start_i) state_q <= StLabel;
        StLabel:   state_q <= StMaximum;
        StMaximum: if (all_read && valid_q[2:1] == '0) state_q <= StSum;
        StSum:     if (all_read && valid_q == '0) state_q <= StDivide;
        default:   if (sample_done) state_q <= samples_q == 16'd1 ? StIdle : StLabel;
      endcase
    end
  end
  assign done_o = sample_done && samples_q == 16'd1;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      samples_q <= samples_i;
      logits_q  <= ResultWidth'(logits_i);
      labels_q  <= 18'(labels_i);
    end else if (state_q != StIdle && sample_done) begin
      samples_q <= samples_q - 16'd1;
      logits_q  <= logits_q + ((ResultWidth'(classes_i) + ResultWidth'(3)) >> 2);
      labels_q  <= labels_q + 18'd1;
    end
    if (state_q == StLabel || (state_q == StMaximum && all_read && valid_q[2:1] == '0)
        || (state_q == StSum && all_read && valid_q == '0)) begin
      class_q <= '0;
    end else if (issue) begin
      class_q <= class_q + 9'd1;
    end
    if (state_q == StLabel) element_q <= labels_q[1:0];
    else if (issue) element_q <= class_q[1:0];
    if (label_arrives_q) label_q <= read_data_i[16*element_q+:16];
  end

  // z to e.
  always_ff @(posedge clk_i) begin
    if (valid_q[1]) z_q <= read_data_i[16*element_q+:16];
    if (state_q == StLabel) maximum_q <= 16'sh8000;
    else if (valid_q[2] && state_q == StMaximum && z_q > maximum_q) maximum_q <= z_q;
    if (valid_q[2] && state_q != StMaximum) d_q <= maximum_q - z_q;
    if (valid_q[3]) product_q <= Log2 * d_q;
    if (valid_q[4]) begin
      automatic logic [31:0] scaled, rounded;
      scaled  = {product_q, 1'b0} >> shift_i;
      rounded = {1'b0, scaled[31:1]} + 32'(scaled[0]);
      fraction_q  <= rounded[7:0];
      octaves_5_q <= rounded[12:8];
      tiny_5_q    <= rounded[31:8] >= 24'd24;
    end
    if (valid_q[5]) begin
      octaves_6_q <= octaves_5_q;
      tiny_6_q    <= tiny_5_q;
    end
    if (valid_q[6]) e_q <= tiny_6_q ? '0 : {table_q, 8'd0} >> octaves_6_q;
    if (state_q == StLabel) sum_q <= '0;
    else if (valid_q[7] && state_q == StSum) sum_q <= sum_q + 32'(e_q);
  end

  softmax_table u_table (
    .clk_i,
    .valid_i(valid_q[5]),
    .index_i(fraction_q),
    .value_o(table_q)
  );

  // The divider: bits of the quotient from the highest down.
  logic                    waiting_q, dividing_q, load, step, finished;
  logic [3:0]              bits_q;
  logic [38:0]             dividend;
  logic [31:0]             remainder_q;
  logic [32:0]             trial;
  logic [31:0]             difference;
  logic [QuotientBits-1:0] low_q;  // the rest of the dividend goes out, the quotient comes in
  logic                    fits;

  assign dividend   = {1'b0, e_q, 14'd0} + 39'(sum_q[31:1]);
  assign load       = waiting_q && !dividing_q;
  assign step       = dividing_q && bits_q != '0;
  assign trial      = {remainder_q, low_q[QuotientBits-1]};
  assign difference = trial[31:0] - sum_q;
  assign fits       = trial >= {1'b0, sum_q};
  assign finished   = dividing_q && bits_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      pending_q  <= 1'b0;
      waiting_q  <= 1'b0;
      dividing_q <= 1'b0;
    end else begin
      if (issue && state_q == StDivide) pending_q <= 1'b1;
      else if (load) pending_q <= 1'b0;
      if (valid_q[7] && state_q == StDivide) waiting_q <= 1'b1;
      else if (load) waiting_q <= 1'b0;
      if (load) dividing_q <= 1'b1;
      else if (finished) dividing_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      remainder_q <= 32'(dividend[38:QuotientBits]);
      low_q       <= dividend[QuotientBits-1:0];
      bits_q      <= 4'(QuotientBits);
    end else if (step) begin
      remainder_q <= fits ? difference : trial[31:0];
      low_q       <= {low_q[QuotientBits-2:0], fits};
      bits_q      <= bits_q - 4'd1;
    end
  end

  // Words of four.
  logic [8:0]       done_class_q;
  logic [3:0][15:0] probability_q, delta_q;
  logic             write_probability_q, write_delta_q, class_last;

  assign class_last  = done_class_q == classes_i - 9'd1;
  assign sample_done = write_delta_q && done_class_q == classes_i;

  always_ff @(posedge clk_i) begin
    if (state_q == StLabel) done_class_q <= '0;
    else if (finished) done_class_q <= done_class_q + 9'd1;
    if (state_q == StLabel || write_delta_q) begin
      probability_q <= '0;
      delta_q       <= '0;
    end else if (finished) begin
      probability_q[done_class_q[1:0]] <= 16'(low_q);
      delta_q[done_class_q[1:0]]
          <= 16'(low_q) - (16'(done_class_q) == label_q ? One : 16'd0);
    end
    if (start_i) begin
      probabilities_q <= ResultWidth'(probabilities_i);
      deltas_q        <= ResultWidth'(deltas_i);
    end else begin
      if (write_probability_q) probabilities_q <= probabilities_q + 1'b1;
      if (write_delta_q) deltas_q <= deltas_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      write_probability_q <= 1'b0;
      write_delta_q       <= 1'b0;
    end else begin
      write_probability_q <= finished && (done_class_q[1:0] == 2'd3 || class_last);
      write_delta_q       <= write_probability_q;
    end
  end

  assign write_valid_o   = write_probability_q || write_delta_q;
  assign write_address_o = write_delta_q ? deltas_q : probabilities_q;
  assign write_data_o    = write_delta_q ? delta_q : probability_q;

endmodule

`default_nettype wire
