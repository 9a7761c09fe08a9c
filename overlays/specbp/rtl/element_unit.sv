// MAXIMUM, TOTAL, MASK and SELECT, on the four int16 of a word.
//
// Word A and, where used, word B arrive a cycle after their reads (`a_valid_i`, `b_valid_i`), both
// no later than a cycle after the iteration (`valid_i`). Latency: the result is there 3 cycles
// after the last iteration, for one cycle; the index where the maximum was found, for two. An
// iteration a cycle. Sums have 32 bits and wrap; it does not round or saturate.

`default_nettype none

module element_unit (
  input  wire logic              clk_i,
  input  wire logic              rst_ni,
  input  wire logic              abort_i,

  input  wire logic [7:0]        opcode_i,
  input  wire logic              a_valid_i,  // the read of word A happens in this cycle
  input  wire logic              b_valid_i,
  input  wire logic              valid_i,
  input  wire logic              first_i,
  input  wire logic              last_i,
  input  wire logic              final_i,      // travels along to `finishing_o`
  input  wire logic [15:0]       t_i,
  input  wire logic [63:0]       word_i,
  output logic                   finishing_o,  // the result is there in the cycle after the next
  output logic                   finishing_final_o,

  output logic [3:0][31:0]       result_o,
  output logic [3:0][15:0]       found_o
);
  import specbp_codes_pkg::*;

  logic               a_arrives_q, b_arrives_q, last_q, final_q, last_combine_q, combine_last_q;
  logic [7:0]         opcode_q;
  logic [1:0]         valid_q, first_q;
  logic [1:0][15:0]   t_q;
  logic [3:0][15:0]   a_q, b_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      valid_q        <= '0;
      a_arrives_q    <= 1'b0;
      b_arrives_q    <= 1'b0;
      combine_last_q <= 1'b0;
    end else begin
      valid_q        <= {valid_q[0], valid_i};
      a_arrives_q    <= a_valid_i;
      b_arrives_q    <= b_valid_i;
      combine_last_q <= valid_q[1] && last_combine_q;
    end
  end

  always_ff @(posedge clk_i) begin
    first_q        <= {first_q[0], first_i};
    last_q         <= last_i;
    final_q        <= final_i;
    last_combine_q <= last_q;
    if (a_arrives_q) a_q <= word_i;
    if (b_arrives_q) b_q <= word_i;
    if (valid_i) begin
      opcode_q <= opcode_i;
      t_q[0]   <= t_i;
    end
    if (valid_q[0]) t_q[1] <= t_q[0];
  end

  assign finishing_o       = valid_q[0] && last_q;
  assign finishing_final_o = final_q;

  // Combining, an iteration two cycles after `valid_i`.
  function automatic logic [15:0] operand(logic [7:0] opcode, logic [15:0] a, logic [15:0] b,
                                         logic [15:0] t);
    unique case (opcode)
      OpcodeMask:   return !a[15] && a != '0 ? b : '0;
      OpcodeSelect: return b == t ? a : '0;
      default:      return a;
    endcase
  endfunction

  for (genvar element = 0; element < 4; element++) begin : g_elements
    logic signed [31:0] result_q;
    logic [15:0]        found_q, kept_q;

    always_ff @(posedge clk_i) begin
      if (valid_q[1]) begin
        automatic logic signed [31:0] value;
        value = 32'($signed(operand(opcode_q, a_q[element], b_q[element], t_q[1])));
        if (opcode_q != OpcodeMaximum) begin
          result_q <= (first_q[1] ? 32'sd0 : result_q) + value;
        end else if (first_q[1] || value > result_q) begin
          result_q <= value;
          found_q  <= t_q[1];
        end
      end
      if (combine_last_q) kept_q <= found_q;
    end

    assign result_o[element] = result_q;
    assign found_o[element]  = combine_last_q ? found_q : kept_q;
  end

endmodule

`default_nettype wire
