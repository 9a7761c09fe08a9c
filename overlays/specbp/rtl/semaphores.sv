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

  logic [15:0] available_q;
  logic        changes;

  assign changes = grant_o != '0 || give_i != '0;

  function automatic logic among(logic [1:0][3:0] numbers, logic [3:0] number);
    return numbers[0] == number || numbers[1] == number;
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

  for (genvar number = 1; number < 16; number++) begin : g_counts
    logic [CountWidth-1:0] count_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) begin
        count_q             <= '0;
        available_q[number] <= 1'b0;
      end else if (changes) begin
        automatic logic [CountWidth-1:0] count;
        count = count_q;
        for (int unit = 0; unit < Units; unit++) begin
          if (grant_o[unit] && among(waits_i[unit], 4'(number))) count -= CountWidth'(1);
          if (give_i[unit] && among(signals_i[unit], 4'(number))) count += CountWidth'(1);
        end
        count_q             <= count;
        available_q[number] <= count != '0;
      end
    end
  end
  assign available_q[0] = 1'b1;

endmodule

`default_nettype wire
