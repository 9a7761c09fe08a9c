// GATE: how far each sample's softmax is from the one it was speculated with, and what follows.
//
// Reads a sample's record, then its two softmaxes word by word in turn, and writes its verdict; of
// a rejected one a second word. After the last sample it fills up the list of the rejected, writes
// the counts, and makes all labels valid. About 2 W + 10 cycles a sample and 4 more for its label.
// The settings hold still from `start_i` to `done_o`. The label table answers in the cycle after
// `label_read_o`, and holds its answer until the update. It does not check addresses.

`default_nettype none

module gate_unit (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,
  input  wire logic                abort_i,

  input  wire logic                start_i,
  input  wire logic [15:0]         actual_i,   // scalar words
  input  wire logic [15:0]         cached_i,
  input  wire logic [15:0]         records_i,
  input  wire logic [15:0]         results_i,  // output word
  input  wire logic [7:0]          words_i,
  input  wire logic                total_i,    // the metric: the sum, not the largest
  input  wire logic [9:0]          samples_i,
  input  wire logic [17:0]         limit_i,
  output logic                     done_o,

  output logic                     read_valid_o,
  output specbp_pkg::result_t      read_address_o,
  input  wire logic [63:0]         read_data_i,
  output logic                     write_valid_o,
  output specbp_pkg::result_t      write_address_o,
  output logic [63:0]              write_data_o,

  output logic                     label_bad_o,  // there is no such label
  output logic                     label_read_o,
  output logic [8:0]               label_o,
  input  wire logic                label_valid_i,
  output specbp_pkg::label_update_e label_update_o
);
  import specbp_pkg::*;

  // 4 W elements of 16 bits summed up.
  localparam int unsigned DistanceWidth = 25;

  typedef enum logic [3:0] {
    StIdle, StRecord, StLabel, StWords, StSettle, StJudge, StReject, StFill, StCounts,
    StAgain, StAgainLabel, StAgainRead, StValid
  } state_e;

  state_e      state_q;
  result_t     actual_q, cached_q, record_q, verdict_q, rejected_q, rejected_end_q;
  logic [7:0]  words_q;
  logic [9:0]  sample_q, rejects_q;
  logic [15:0] label_q, read_slot_q, write_slot_q;
  logic [63:0] last_rejected_q;
  logic        second_q, label_read_q, last_word, last_sample, accept;

  // From the words to the distance, a register after each step.
  logic                     first_here_q, second_here_q, differences_here_q, word_here_q;
  logic [63:0]              first_q;
  logic [3:0][15:0]         differences_q;
  logic [17:0]              word_q;
  logic [DistanceWidth-1:0] distance_q;

  assign last_word   = words_q == words_i - 8'd1;
  assign last_sample = sample_q == samples_i - 10'd1;
  assign accept      = label_valid_i && distance_q < DistanceWidth'(limit_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      state_q <= StIdle;
    end else begin
      unique case (state_q)
        StIdle:       if (start_i) state_q <= StRecord;
        StRecord:     state_q <= StLabel;
        StLabel:      state_q <= StWords;
        StWords:      if (second_q && last_word) state_q <= StSettle;
        StSettle:     if (!second_here_q && !differences_here_q && !word_here_q) state_q <= StJudge;
        StJudge:      state_q <= !accept ? StReject : last_sample ? StFill : StRecord;
        StReject:     state_q <= last_sample ? StFill : StRecord;
        StFill:       if (rejected_q == rejected_end_q) state_q <= StCounts;
        StCounts:     state_q <= StAgain;
        StAgain:      state_q <= StAgainLabel;
        StAgainLabel: state_q <= StAgainRead;
        StAgainRead:  state_q <= StValid;
        default:      state_q <= last_sample ? StIdle : StAgain;
      endcase
    end
  end
  assign done_o = state_q == StValid && last_sample;

  // Places and counts.
  always_ff @(posedge clk_i) begin
    if (start_i) begin
      actual_q       <= ResultWidth'(actual_i);
      cached_q       <= ResultWidth'(cached_i);
      verdict_q      <= ResultWidth'(results_i);
      rejected_q     <= ResultWidth'(results_i) + ResultWidth'(samples_i);
      rejected_end_q <= ResultWidth'(results_i) + ResultWidth'({samples_i, 1'b0});
    end else begin
      if (state_q == StWords && !second_q) actual_q <= actual_q + 1'b1;
      if (state_q == StWords && second_q) cached_q <= cached_q + 1'b1;
      if (state_q == StJudge) verdict_q <= verdict_q + 1'b1;
      if (state_q == StReject || (state_q == StFill && rejected_q != rejected_end_q)) begin
        rejected_q <= rejected_q + 1'b1;
      end
    end
    if (start_i || state_q == StCounts) begin
      record_q <= ResultWidth'(records_i);
      sample_q <= '0;
    end else begin
      if (state_q == StRecord || state_q == StAgain) record_q <= record_q + 1'b1;
      if (((state_q == StJudge && accept) || state_q == StReject || state_q == StValid)
          && !last_sample) begin
        sample_q <= sample_q + 10'd1;
      end
    end
    if (start_i) rejects_q <= '0;
    else if (state_q == StReject) rejects_q <= rejects_q + 10'd1;
    if (start_i) last_rejected_q <= '0;
    else if (state_q == StReject) last_rejected_q <= write_data_o;
    if (state_q == StRecord) begin
      words_q  <= '0;
      second_q <= 1'b0;
    end else if (state_q == StWords) begin
      second_q <= !second_q;
      if (second_q) words_q <= words_q + 8'd1;
    end
    if (state_q == StLabel || state_q == StAgainLabel) begin
      {write_slot_q, read_slot_q, label_q} <= read_data_i[47:0];
    end
  end

  // The distance.
  function automatic logic [15:0] apart(logic signed [15:0] one, logic signed [15:0] other);
    return one > other ? one - other : other - one;
  endfunction

  function automatic logic [15:0] larger(logic [15:0] one, logic [15:0] other);
    return one > other ? one : other;
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      first_here_q       <= 1'b0;
      second_here_q      <= 1'b0;
      differences_here_q <= 1'b0;
      word_here_q        <= 1'b0;
      label_read_q       <= 1'b0;
    end else begin
      first_here_q       <= state_q == StWords && !second_q;
      second_here_q      <= state_q == StWords && second_q;
      differences_here_q <= second_here_q;
      word_here_q        <= differences_here_q;
      label_read_q       <= state_q == StLabel;
    end
  end

  always_ff @(posedge clk_i) begin
    if (first_here_q) first_q <= read_data_i;
    if (second_here_q) begin
      for (int element = 0; element < 4; element++) begin
        differences_q[element]
            <= apart(first_q[16*element+:16], read_data_i[16*element+:16]);
      end
    end
    if (differences_here_q) begin
      if (total_i) begin
        word_q <= (18'(differences_q[0]) + 18'(differences_q[1]))
            + (18'(differences_q[2]) + 18'(differences_q[3]));
      end else begin
        word_q <= 18'(larger(larger(differences_q[0], differences_q[1]),
                             larger(differences_q[2], differences_q[3])));
      end
    end
    if (state_q == StLabel) distance_q <= '0;
    else if (word_here_q) begin
      if (total_i) distance_q <= distance_q + DistanceWidth'(word_q);
      else if (DistanceWidth'(word_q) > distance_q) distance_q <= DistanceWidth'(word_q);
    end
  end

  // Reads, writes, labels.
  assign read_valid_o = state_q == StRecord || state_q == StWords || state_q == StAgain;
  assign read_address_o = state_q != StWords ? record_q : second_q ? cached_q : actual_q;

  logic [15:0] shown_distance;
  assign shown_distance = distance_q[DistanceWidth-1:16] != '0 ? 16'hFFFF : distance_q[15:0];

  always_comb begin
    write_valid_o   = 1'b0;
    write_address_o = rejected_q;
    write_data_o    = {32'd0, 6'd0, sample_q, write_slot_q};
    unique case (state_q)
      StJudge: begin
        write_valid_o   = 1'b1;
        write_address_o = verdict_q;
        write_data_o    = {16'd0, accept ? read_slot_q : write_slot_q, shown_distance,
                           15'd0, accept};
      end
      StReject: write_valid_o = 1'b1;
      StFill: begin
        write_valid_o = rejected_q != rejected_end_q;
        write_data_o  = last_rejected_q;
      end
      StCounts: begin
        write_valid_o = 1'b1;
        write_data_o  = {32'd0, 6'd0, rejects_q, 6'd0, samples_i - rejects_q};
      end
      default: ;
    endcase
  end

  assign label_o      = label_q[8:0];
  assign label_bad_o  = (label_read_q || state_q == StAgainRead) && label_q[15:9] != '0;
  assign label_read_o = label_read_q || state_q == StAgainRead;

  always_comb begin
    unique case (state_q)
      StJudge: label_update_o = accept ? LabelAccepted : LabelRejected;
      StValid: label_update_o = LabelJudged;
      default: label_update_o = LabelKept;
    endcase
  end

endmodule

`default_nettype wire
