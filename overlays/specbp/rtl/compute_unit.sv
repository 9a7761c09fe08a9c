// Executes MAC, the element-wise opcodes, SOFTMAX, SGD and GATE.
//
// MAC and element-wise work have two halves: the front runs the loops and reads the buffers, an
// iteration a cycle (MASK and SELECT: two cycles, they read two words); the back takes finished
// results through the requantiser and writes them. The front starts on the next descriptor while
// the back finishes the last one, but hands over no result before it has. So results follow
// without a gap where a reduction is at least as long as its results take to leave: `groups`
// cycles, twice that for int32. SOFTMAX, SGD and GATE have the buffers to themselves.
//
// A descriptor costs 2 cycles between its neighbours, 16 to 20 beside its iterations when it
// stands alone; it is complete a cycle after the write of its last word (`give_o`). Addresses are checked
// as they come up, fields by the decoder.

`default_nettype none

module compute_unit #(
  parameter int unsigned Lanes       = 16,
  parameter int unsigned QueueDepth  = 4,
  parameter int unsigned ScalarWords = 4096,  // powers of two
  parameter int unsigned VectorRows  = 1024,
  parameter int unsigned BiasRows    = 512,
  parameter int unsigned OutputWords = 2048,
  parameter int unsigned PartialRows = 2048
) (
  // One clock; each of its names stops by itself in simulation, see clock_gate. Control is what
  // changes once for each descriptor.
  input  wire logic                  control_clk_i,
  input  wire logic                  front_clk_i,
  input  wire logic                  back_clk_i,
  input  wire logic                  element_clk_i,
  input  wire logic                  sgd_clk_i,
  input  wire logic                  loss_clk_i,  // SOFTMAX and GATE
  input  wire logic                  rst_ni,
  input  wire logic                  abort_i,

  input  wire logic                  valid_i,
  output logic                       ready_o,
  input  wire specbp_pkg::descriptor_t descriptor_i,
  input  wire logic [31:0]           index_i,

  output logic                       request_o,
  output specbp_pkg::numbers_t       waits_o,
  input  wire logic                  grant_i,
  output logic                       give_o,
  output specbp_pkg::numbers_t       signals_o,

  output logic                       idle_o,
  output logic                       busy_o,   // a descriptor has started and is not complete
  output logic                       control_active_o,  // something changes in this cycle
  output logic                       front_active_o,
  output logic                       back_active_o,
  output logic                       element_active_o,
  output logic                       sgd_active_o,
  output logic                       loss_active_o,
  output logic                       multiplying_o,
  output logic                       steady_o,  // loops and lanes go on, and start nothing else
  output logic [31:0]                index_o,  // of the oldest one, when not idle
  output logic [7:0]                 opcode_o,
  output specbp_pkg::fault_t         fault_o,

  // The label table.
  output logic                           label_read_o,
  output logic [8:0]                     label_o,
  input  wire logic                      label_valid_i,
  output specbp_pkg::label_update_e      label_update_o,

  output logic                           scalar_valid_o,
  output logic [$clog2(ScalarWords)-1:0] scalar_address_o,
  input  wire logic [63:0]               scalar_i,
  output logic                           vector_valid_o,
  output logic [$clog2(VectorRows)-1:0]  vector_address_o,
  input  wire logic [63:0]               vector_i [Lanes/4],
  output logic                           bias_valid_o,
  output logic [$clog2(BiasRows)-1:0]    bias_address_o,
  input  wire logic [127:0]              bias_i,
  output logic                           partial_valid_o,
  output logic [$clog2(PartialRows)-1:0] partial_address_o,
  input  wire specbp_pkg::sums_t         partial_i,

  output logic                           sums_valid_o,    // to the partial buffer
  output logic [$clog2(PartialRows)-1:0] sums_address_o,
  output specbp_pkg::sums_t              sums_o,
  output logic                           output_valid_o,  // to the output buffer
  output logic [$clog2(OutputWords)-1:0] output_address_o,
  output logic [63:0]                    output_o
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  localparam int unsigned Groups = Lanes / 4;

  // The descriptor that the front works on, and its fields.
  compute_t         head;
  logic             queue_empty, queue_active, head_valid, head_done;
  logic [31:0]      head_index;
  logic [2:0][31:0] w;  // words 3:1
  logic             is_mac, is_softmax, is_sgd, is_gate, is_element, two_words;

  descriptor_queue #(
    .Words(16),
    .Depth(QueueDepth)
  ) u_queue (
    .clk_i       (control_clk_i),
    .rst_ni,
    .abort_i,
    .valid_i,
    .ready_o,
    .descriptor_i,
    .index_i,
    .empty_o     (queue_empty),
    .active_o    (queue_active),
    .head_valid_o(head_valid),
    .head_done_i (head_done),
    .head_o      (head),
    .index_o     (head_index)
  );

  assign w          = head.words;
  assign is_mac     = head.order.opcode == OpcodeMac;
  assign is_softmax = head.order.opcode == OpcodeSoftmax;
  assign is_sgd     = head.order.opcode == OpcodeSgd;
  assign is_gate    = head.order.opcode == OpcodeGate;
  assign is_element = !is_mac && !is_softmax && !is_sgd && !is_gate;
  assign two_words  = head.order.opcode == OpcodeMask || head.order.opcode == OpcodeSelect;

  typedef enum logic [2:0] {StIdle, StLoops, StSoftmax, StSgd, StGate} state_e;

  state_e state_q;
  logic   back_busy_q, taken_over_q, final_issue, softmax_done, sgd_done, gate_done, back_done;

  // SOFTMAX, SGD and GATE wait for the back.
  assign request_o = head_valid && state_q == StIdle && (is_mac || is_element || !back_busy_q);
  assign waits_o   = waits_of(head.order);
  assign head_done = final_issue || softmax_done || sgd_done || gate_done;

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) state_q <= StIdle;
    else if (grant_i) begin
      state_q <= is_softmax ? StSoftmax : is_sgd ? StSgd : is_gate ? StGate : StLoops;
    end else if (head_done) state_q <= StIdle;
  end

  // The front: loops.
  logic        nest_valid, nest_first, nest_last, nest_final;
  index_t      a, b;
  logic [15:0] t;
  logic        a_fits, b_fits, go, second_word_q, read_a, read_b, issue;
  logic [4:0]  spacing_q, drain_last;

  loop_nest u_loops (
    .clk_i     (front_clk_i),
    .rst_ni,
    .abort_i,
    .start_i   (grant_i && (is_mac || is_element)),
    .a_i       (IndexWidth'(w[0][15:0])),
    .b_i       (IndexWidth'(w[0][31:16])),
    .t_i       (16'($signed(w[2][27:16]))),
    .loops_i   (head.loops),
    .reducing_i(is_mac ? 2'd3 : w[2][1:0]),
    .valid_o   (nest_valid),
    .a_o       (a),
    .b_o       (b),
    .t_o       (t),
    .first_o   (nest_first),
    .last_o    (nest_last),
    .final_o   (nest_final),
    .step_i    (issue)
  );

  assign a_fits = is_mac ? a[IndexWidth-1:$clog2(4*ScalarWords)] == '0
      : a[IndexWidth-1:$clog2(ScalarWords)] == '0;
  assign b_fits = is_mac ? b[IndexWidth-1:$clog2(VectorRows)] == '0
      : !two_words || b[IndexWidth-1:$clog2(ScalarWords)] == '0;

  // A result may come when the back has taken the descriptor over and the one before has left.
  assign go          = nest_valid && a_fits && b_fits
      && (!nest_last || (taken_over_q && spacing_q == '0));
  assign read_a      = go && !second_word_q;
  assign read_b      = go && second_word_q;
  assign issue       = go && (!two_words || second_word_q);
  assign final_issue = issue && nest_final;

  always_ff @(posedge front_clk_i) begin
    if (!rst_ni || abort_i) begin
      second_word_q <= 1'b0;
      spacing_q     <= '0;
    end else begin
      if (go && two_words) second_word_q <= !second_word_q;
      if (issue && nest_last) spacing_q <= drain_last;
      else if (spacing_q != '0) spacing_q <= spacing_q - 5'd1;
    end
  end

  // SOFTMAX, SGD and GATE.
  logic        softmax_read, sgd_read, gate_read, softmax_write, sgd_write, gate_write;
  logic        label_bad;
  result_t     softmax_read_address, softmax_write_address, gate_read_address, gate_write_address;
  logic [18:0] sgd_read_address, sgd_write_address;
  logic [63:0] softmax_word, sgd_word, gate_word;
  logic [1:0][31:0] w_5_4;

  assign w_5_4 = head.loops[0];

  softmax_unit u_softmax (
    .clk_i          (loss_clk_i),
    .rst_ni,
    .abort_i,
    .start_i        (grant_i && is_softmax),
    .logits_i       (w[0][15:0]),
    .labels_i       (w[0][31:16]),
    .probabilities_i(w[1][15:0]),
    .deltas_i       (w[1][31:16]),
    .classes_i      (w[2][8:0]),
    .shift_i        (w[2][14:9]),
    .samples_i      (w[2][31:16]),
    .done_o         (softmax_done),
    .read_valid_o   (softmax_read),
    .read_address_o (softmax_read_address),
    .read_data_i    (scalar_i),
    .write_valid_o  (softmax_write),
    .write_address_o(softmax_write_address),
    .write_data_o   (softmax_word)
  );

  sgd_unit u_sgd (
    .clk_i          (sgd_clk_i),
    .rst_ni,
    .abort_i,
    .start_i        (grant_i && is_sgd),
    .masters_i      (w[0][15:0]),
    .momenta_i      (w[0][31:16]),
    .results_i      (w[1][15:0]),
    .gradients_i    (w[1][31:16]),
    .fours_i        (w[2][15:0]),
    .mu_i           (w_5_4[0][14:0]),
    .rate_i         (w_5_4[0][30:16]),
    .decay_i        (w_5_4[1][14:0]),
    .rate_shift_i   (w_5_4[1][21:16]),
    .decay_shift_i  (w_5_4[1][27:22]),
    .done_o         (sgd_done),
    .read_valid_o   (sgd_read),
    .read_address_o (sgd_read_address),
    .read_data_i    (scalar_i),
    .write_valid_o  (sgd_write),
    .write_address_o(sgd_write_address),
    .write_data_o   (sgd_word)
  );

  gate_unit u_gate (
    .clk_i          (loss_clk_i),
    .rst_ni,
    .abort_i,
    .start_i        (grant_i && is_gate),
    .actual_i       (w[0][15:0]),
    .cached_i       (w[0][31:16]),
    .results_i      (w[1][15:0]),
    .records_i      (w[1][31:16]),
    .words_i        (w[2][7:0]),
    .total_i        (w[2][8]),
    .samples_i      (w[2][25:16]),
    .limit_i        (w_5_4[0][17:0]),
    .done_o         (gate_done),
    .read_valid_o   (gate_read),
    .read_address_o (gate_read_address),
    .read_data_i    (scalar_i),
    .write_valid_o  (gate_write),
    .write_address_o(gate_write_address),
    .write_data_o   (gate_word),
    .label_bad_o    (label_bad),
    .label_read_o,
    .label_o,
    .label_valid_i,
    .label_update_o
  );

  // Reads of scalar and vector buffer.
  logic [18:0] read_address;
  logic        read_fits;

  always_comb begin
    unique case (state_q)
      StSoftmax: read_address = 19'(softmax_read_address);
      StSgd:     read_address = sgd_read_address;
      StGate:    read_address = 19'(gate_read_address);
      default:   read_address = 19'(is_mac ? a >>> 2 : second_word_q ? b : a);
    endcase
  end
  assign read_fits        = read_address[18:$clog2(ScalarWords)] == '0;
  assign scalar_valid_o   = read_a || read_b || softmax_read || sgd_read || gate_read;
  assign scalar_address_o = read_address[$clog2(ScalarWords)-1:0];
  assign vector_valid_o   = issue && is_mac;
  assign vector_address_o = b[$clog2(VectorRows)-1:0];

  logic             keep, keep_final, finishing, finishing_final, lanes_active, requantising;
  logic             working;
  logic [3:0]       group_q;
  sums_t            kept;
  logic [3:0][31:0] element;
  logic [3:0][15:0] found;

  mac_array #(
    .Lanes(Lanes)
  ) u_lanes (
    .clk_i        (front_clk_i),
    .keep_clk_i   (back_clk_i),
    .rst_ni,
    .abort_i,
    .valid_i      (issue && is_mac),
    .first_i      (nest_first),
    .last_i       (nest_last),
    .final_i      (nest_final),
    .element_i    (a[1:0]),
    .scalar_i,
    .vector_i,
    .keep_o       (keep),
    .keep_final_o (keep_final),
    .active_o     (lanes_active),
    .multiplying_o,
    .group_i      (group_q[$clog2(Groups)-1:0]),
    .sums_o       (kept)
  );

  element_unit u_elements (
    .clk_i            (element_clk_i),
    .rst_ni,
    .abort_i,
    .opcode_i         (head.order.opcode),
    .a_valid_i        (read_a && is_element),
    .b_valid_i        (read_b),
    .valid_i          (issue && is_element),
    .first_i          (nest_first),
    .last_i           (nest_last),
    .final_i          (nest_final),
    .t_i              (t),
    .word_i           (scalar_i),
    .finishing_o      (finishing),
    .finishing_final_o(finishing_final),
    .result_o         (element),
    .found_o          (found)
  );

  // The back: settings of the descriptor it has taken over.
  tag_t       back_q;
  result_e    kind_q;
  addend_e    addend_kind_q;
  logic       relu_q, two_parts_q;  // two parts: int32 has two words of a group, MAXIMUM an index
  logic [5:0] shift_q, left_q;
  logic [3:0] last_group, last_group_q;
  logic       take_over, two_parts;

  assign take_over  = state_q == StLoops && !taken_over_q && !back_busy_q;
  assign two_parts  = is_mac ? w[2][1:0] == ResultInt32
      : head.order.opcode == OpcodeMaximum && w[2][2];
  assign last_group = is_mac ? 4'(w[2][9:5] - 5'd1) : 4'd0;
  assign drain_last = two_parts ? {last_group, 1'b1} : {1'b0, last_group};

  always_ff @(posedge control_clk_i) begin
    if (take_over) begin
      back_q <= '{index: head_index, opcode: head.order.opcode, signals: signals_of(head.order)};
      two_parts_q  <= two_parts;
      last_group_q <= last_group;
      left_q       <= w[2][21:16];
      shift_q      <= is_mac || head.order.opcode == OpcodeTotal ? w[2][15:10] : '0;
      relu_q       <= is_mac && w[2][4];
      if (is_mac) begin
        kind_q        <= result_e'(w[2][1:0]);
        addend_kind_q <= addend_e'(w[2][3:2]);
      end else begin
        kind_q <= head.order.opcode == OpcodeTotal || head.order.opcode == OpcodeSelect
            ? ResultInt16 : ResultRaw;
        addend_kind_q <= AddendElement;
      end
    end
  end

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) begin
      back_busy_q  <= 1'b0;
      taken_over_q <= 1'b0;
    end else begin
      if (take_over) back_busy_q <= 1'b1;
      else if (back_done) back_busy_q <= 1'b0;
      if (take_over) taken_over_q <= 1'b1;
      else if (final_issue) taken_over_q <= 1'b0;
    end
  end

  // A finished result leaves, four lanes in a cycle or in two.
  logic    draining_q, part_q, final_q, part_last, drain_end;
  result_t addend_q, result_q, second_q, addend_place;
  logic    addend_fits, use_second;
  logic [1:0] mark_1, results_mark;
  logic    sums_valid, results_valid;
  logic [3:0][31:0] results;

  assign part_last = !two_parts_q || part_q;
  assign drain_end = part_last && group_q == last_group_q;

  always_ff @(posedge back_clk_i) begin
    if (!rst_ni || abort_i) draining_q <= 1'b0;
    else if (keep || finishing) draining_q <= 1'b1;
    else if (drain_end) draining_q <= 1'b0;
  end

  always_ff @(posedge back_clk_i) begin
    if (keep || finishing) begin
      group_q <= '0;
      part_q  <= 1'b0;
      final_q <= keep ? keep_final : finishing_final;
    end else if (draining_q) begin
      part_q <= !part_last;
      if (part_last) group_q <= group_q + 4'd1;
    end
  end

  // The addend: bias by group, partial sums one after another.
  assign addend_place = addend_kind_q == AddendBias ? addend_q + ResultWidth'(group_q) : addend_q;
  assign bias_valid_o      = draining_q && addend_kind_q == AddendBias;
  assign bias_address_o    = addend_place[$clog2(BiasRows)-1:0];
  assign partial_valid_o   = draining_q && addend_kind_q == AddendPartial;
  assign partial_address_o = addend_place[$clog2(PartialRows)-1:0];

  always_comb begin
    unique case (addend_kind_q)
      AddendBias:    addend_fits = addend_place[ResultWidth-1:$clog2(BiasRows)] == '0;
      AddendPartial: addend_fits = addend_place[ResultWidth-1:$clog2(PartialRows)] == '0;
      default:       addend_fits = 1'b1;
    endcase
  end

  requantiser u_requantiser (
    .clk_i          (back_clk_i),
    .rst_ni,
    .abort_i,
    .kind_i         (kind_q),
    .addend_i       (addend_kind_q),
    .relu_i         (relu_q),
    .shift_i        (shift_q),
    .left_i         (left_q),
    .valid_i        (draining_q),
    .mark_i         ({final_q && drain_end, part_q}),
    .sums_i         (kept),
    .active_o       (requantising),
    .mark_1_o       (mark_1),
    .bias_i,
    .partial_i,
    .element_i      (mark_1[0] ? {32'(found[3]), 32'(found[2]), 32'(found[1]), 32'(found[0])}
                     : element),
    .sums_valid_o   (sums_valid),
    .sums_o,
    .results_valid_o(results_valid),
    .results_mark_o (results_mark),
    .results_o      (results)
  );

  logic unused;
  assign unused = ^{mark_1[1]};

  assign back_done = results_valid && results_mark[1];

  // Where results go.
  assign use_second   = addend_kind_q == AddendElement && results_mark[0];
  assign sums_valid_o = sums_valid && kind_q == ResultSums;

  always_ff @(posedge back_clk_i) begin
    if (take_over) begin
      result_q <= ResultWidth'(w[1][15:0]);
      second_q <= ResultWidth'(w[1][31:16]);
      addend_q <= ResultWidth'(w[1][31:16]);
    end else begin
      if (draining_q && part_last && addend_kind_q == AddendPartial) addend_q <= addend_q + 1'b1;
      if (kind_q == ResultSums ? sums_valid : results_valid && !use_second) begin
        result_q <= result_q + 1'b1;
      end
      if (results_valid && use_second) second_q <= second_q + 1'b1;
    end
  end

  logic [18:0] output_place;
  logic        output_fits, sums_fit;

  assign sums_fit         = result_q[ResultWidth-1:$clog2(PartialRows)] == '0;
  assign sums_address_o   = result_q[$clog2(PartialRows)-1:0];
  assign output_fits      = output_place[18:$clog2(OutputWords)] == '0;
  assign output_address_o = output_place[$clog2(OutputWords)-1:0];
  assign output_valid_o   = (results_valid && kind_q != ResultSums) || softmax_write
      || sgd_write || gate_write;

  always_comb begin
    if (softmax_write) begin
      output_place = 19'(softmax_write_address);
      output_o     = softmax_word;
    end else if (sgd_write) begin
      output_place = sgd_write_address;
      output_o     = sgd_word;
    end else if (gate_write) begin
      output_place = 19'(gate_write_address);
      output_o     = gate_word;
    end else begin
      output_place = 19'(use_second ? second_q : result_q);
      if (kind_q != ResultInt32) begin
        output_o = {results[3][15:0], results[2][15:0], results[1][15:0], results[0][15:0]};
      end else begin
        output_o = results_mark[0] ? {results[3], results[2]} : {results[1], results[0]};
      end
    end
  end

  // Semaphores and faults; the back's descriptor is the older one.
  logic   finished, back_fault, front_fault;
  fault_t fault_q;

  assign finished = back_done || softmax_done || sgd_done || gate_done;

  always_ff @(posedge control_clk_i) begin
    if (finished) signals_o <= back_done ? back_q.signals : signals_of(head.order);
    if (!rst_ni || abort_i) give_o <= 1'b0;
    else give_o <= finished;
  end

  assign back_fault  = (draining_q && !addend_fits) || (sums_valid_o && !sums_fit)
      || (output_valid_o && !output_fits && !softmax_write && !sgd_write && !gate_write);
  assign front_fault = (nest_valid && !(a_fits && b_fits))
      || ((softmax_read || sgd_read || gate_read) && !read_fits)
      || ((softmax_write || sgd_write || gate_write) && !output_fits) || label_bad;

  always_ff @(posedge control_clk_i) begin
    if (!rst_ni || abort_i) begin
      fault_q <= '0;
    end else if (!fault_q.valid && (back_fault || front_fault)) begin
      fault_q <= '{
          valid: 1'b1,
          code: ErrorRange,
          response: ResponseOkay,
          index: back_fault ? back_q.index : head_index,
          opcode: back_fault ? back_q.opcode : head.order.opcode
      };
    end
  end
  assign fault_o = fault_q;

  assign busy_o   = state_q != StIdle || back_busy_q || give_o;

  assign working          = grant_i || state_q != StIdle;
  assign control_active_o = queue_active || take_over || finished || back_fault || front_fault;
  assign steady_o         = working && !(head_done || front_fault || keep);
  assign front_active_o   = working || lanes_active || spacing_q != '0;
  assign back_active_o    = take_over || keep || finishing || draining_q || requantising
      || softmax_write || sgd_write || gate_write;
  assign element_active_o = (is_element && working)
      || (back_busy_q && addend_kind_q == AddendElement);
  assign sgd_active_o     = is_sgd && working;
  assign loss_active_o    = (is_softmax || is_gate) && working;

  assign idle_o   = queue_empty && !back_busy_q && !give_o;
  assign index_o  = back_busy_q ? back_q.index : head_index;
  assign opcode_o = back_busy_q ? back_q.opcode : head.order.opcode;

endmodule

`default_nettype wire
