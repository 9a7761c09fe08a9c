// Six nested loops, loop 0 innermost, that drive the addresses A and B and the number T.
//
// The first iteration is there a cycle after `start_i`, each next one a cycle after `step_i`: an
// iteration a cycle. When a loop advances, its jumps are added. The inner `reducing_i` loops form
// one result: `first_o` and `last_o` mark its iterations. Loops stay as they are until the last
// step. It does not check addresses; T wraps.

`default_nettype none

module loop_nest (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,
  input  wire logic                abort_i,

  input  wire logic                start_i,
  input  wire specbp_pkg::index_t  a_i,
  input  wire specbp_pkg::index_t  b_i,
  input  wire logic [15:0]         t_i,
  input  wire specbp_pkg::loop_t [specbp_pkg::Loops-1:0] loops_i,
  input  wire logic [1:0]          reducing_i,

  output logic                     valid_o,
  output specbp_pkg::index_t       a_o,
  output specbp_pkg::index_t       b_o,
  output logic [15:0]              t_o,
  output logic                     first_o,
  output logic                     last_o,
  output logic                     final_o,  // the last iteration of all
  input  wire logic                step_i
);
  import specbp_pkg::*;

  localparam int unsigned CountWidth = $bits(loops_i[0].count);

  // What is left of each loop after the current iteration. The outer ones, which rest most of the
  // time, are one register.
  typedef logic [Loops-1:1][CountWidth-1:0] counts_t;

  logic [CountWidth-1:0] inner_q;
  counts_t               outer_q;
  logic                  inner_ended_q;  // whether their counts are 0
  logic [Loops-1:1]      outer_ended_q;
  logic [Loops:0]        moves;
  index_t                a_q, b_q;
  logic [15:0]           t_q;
  logic                  active_q, first_q;
  loop_t                 jump;

  // A loop moves when all below it have ended; the outermost that moves goes on, the others begin
  // anew. Most often it is the innermost alone.
  always_comb begin
    moves    = '0;
    moves[0] = 1'b1;
    jump     = loops_i[0];
    if (inner_ended_q) begin
      moves[1] = 1'b1;
      for (int loop = 1; loop < Loops; loop++) begin
        if (moves[loop]) jump = loops_i[loop];
        moves[loop+1] = moves[loop] && outer_ended_q[loop];
      end
    end
  end

  assign valid_o = active_q;
  assign a_o     = a_q;
  assign b_o     = b_q;
  assign t_o     = t_q;
  assign first_o = first_q;
  assign last_o  = moves[3'(reducing_i)];
  assign final_o = moves[Loops];

  // The outer loops when the innermost one begins: for the first time, or anew.
  function automatic counts_t begun(counts_t counts, logic start, logic [Loops:0] moving);
    for (int loop = 1; loop < Loops; loop++) begin
      if (start || moving[loop+1]) counts[loop] = loops_i[loop].count;
      else if (moving[loop]) counts[loop] = counts[loop] - CountWidth'(1);
    end
    return counts;
  endfunction

  always_ff @(posedge clk_i) begin
    if (start_i || (step_i && inner_ended_q)) begin
      inner_q       <= loops_i[0].count;
      inner_ended_q <= loops_i[0].count == '0;
      outer_q       <= begun(outer_q, start_i, moves);
      for (int loop = 1; loop < Loops; loop++) begin
        if (start_i || moves[loop+1]) outer_ended_q[loop] <= loops_i[loop].count == '0;
        else if (moves[loop]) outer_ended_q[loop] <= outer_q[loop] == CountWidth'(1);
      end
    end else if (step_i) begin
      inner_q       <= inner_q - CountWidth'(1);
      inner_ended_q <= inner_q == CountWidth'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      a_q     <= a_i;
      b_q     <= b_i;
      t_q     <= t_i;
      first_q <= 1'b1;
    end else if (step_i) begin
      a_q     <= a_q + IndexWidth'(jump.a_jump);
      b_q     <= b_q + IndexWidth'(jump.b_jump);
      t_q     <= t_q + 16'(jump.t_jump);
      first_q <= last_o;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) active_q <= 1'b0;
    else if (start_i) active_q <= 1'b1;
    else if (step_i && final_o) active_q <= 1'b0;
  end

  logic unused;
  assign unused = ^{jump.count};

endmodule

`default_nettype wire
