// 15 counting semaphores; number 0 stands for none, and is always there.
//
// What is given in a cycle can be taken in the next. What is taken is a mask; who takes makes sure
// that it is there, and that nobody else takes the same in that cycle; a giver's numbers differ. An
// overflow goes unnoticed.

`default_nettype none

module semaphore_counts #(
  parameter int unsigned Givers     = 3,
  parameter int unsigned AtOnce     = 2,  // numbers of a giver
  parameter int unsigned CountWidth = 8
) (
  input  wire logic                               clk_i,
  input  wire logic                               rst_ni,
  input  wire logic                               clear_i,
  input  wire logic [15:1]                        taken_i,
  input  wire logic [Givers-1:0][AtOnce-1:0][3:0] given_i,
  output logic [15:0]                             available_o
);

  localparam int unsigned ChangeWidth = $clog2(Givers + 1) + 1;

  logic [CountWidth-1:0] count_q [1:15];
  logic [15:1]           available_q;
  logic                  changes;

  assign changes = taken_i != '0 || given_i != '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      for (int number = 1; number < 16; number++) count_q[number] <= '0;
      available_q <= '0;
    end else if (changes) begin
      for (int number = 1; number < 16; number++) begin
        automatic logic                   given;
        automatic logic [ChangeWidth-1:0] change;
        automatic logic [CountWidth-1:0]  count;
        // All that happens makes one small number, so that there is one adder.
        change = {ChangeWidth{taken_i[number]}};
        for (int giver = 0; giver < Givers; giver++) begin
          given = 1'b0;
          for (int one = 0; one < AtOnce; one++) given |= given_i[giver][one] == 4'(number);
          change += ChangeWidth'(given);
        end
        count = count_q[number] + CountWidth'($signed(change));
        count_q[number]     <= count;
        available_q[number] <= count != '0;
      end
    end
  end

  assign available_o = {available_q, 1'b1};

endmodule

`default_nettype wire
