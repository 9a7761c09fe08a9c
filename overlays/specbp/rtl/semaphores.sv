// The 15 counting semaphores between the units; number 0 stands for none.
//
// A unit asks to start with the two it waits for; it starts in the cycle of its grant, which takes
// one from each. One unit starts in a cycle, the lowest first. Any number give at the same time;
// what is given can be taken in the next cycle. It does not notice an overflow.

`default_nettype none

module semaphores #(
  parameter int unsigned CountWidth = 8
) (
  input  wire logic                                    clk_i,
  input  wire logic                                    rst_ni,
  input  wire logic                                    clear_i,

  input  wire logic [specbp_pkg::Units-1:0]            request_i,
  input  wire logic [specbp_pkg::Units-1:0][1:0][3:0]  waits_i,
  output logic [specbp_pkg::Units-1:0]                 grant_o,

  input  wire logic [specbp_pkg::Units-1:0]            give_i,
  input  wire logic [specbp_pkg::Units-1:0][1:0][3:0]  signals_i
);
  import specbp_pkg::*;

  logic [CountWidth-1:0]  count_q [16];
  logic [15:0]            available_q, takes;
  logic [Units-1:0][15:0] gives;
  logic [CountWidth-1:0]  count [16];

  // Which of the semaphores are among these two.
  function automatic logic [15:0] among(logic [1:0][3:0] numbers);
    return (16'd1 << numbers[0]) | (16'd1 << numbers[1]);
  endfunction

  always_comb begin
    grant_o = '0;
    if (request_i != '0) begin
      for (int unit = 0; unit < Units; unit++) begin
        if (grant_o == '0 && request_i[unit] && available_q[waits_i[unit][0]]
            && available_q[waits_i[unit][1]]) begin
          grant_o[unit] = 1'b1;
        end
      end
    end
  end

  always_comb begin
    takes = '0;
    gives = '0;
    count = count_q;
    if (grant_o != '0 || give_i != '0) begin
      for (int unit = 0; unit < Units; unit++) begin
        if (grant_o[unit]) takes = among(waits_i[unit]);
        if (give_i[unit]) gives[unit] = among(signals_i[unit]);
      end
      for (int number = 1; number < 16; number++) begin
        count[number] = count_q[number] - CountWidth'(takes[number])
            + CountWidth'(gives[0][number]) + CountWidth'(gives[1][number])
            + CountWidth'(gives[2][number]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      for (int number = 0; number < 16; number++) count_q[number] <= '0;
      available_q <= 16'd1;
    end else if (grant_o != '0 || give_i != '0) begin
      for (int number = 1; number < 16; number++) begin
        count_q[number]     <= count[number];
        available_q[number] <= count[number] != '0;
      end
    end
  end

endmodule

`default_nettype wire
