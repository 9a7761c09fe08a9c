// 15 counting semaphores; number 0 stands for none, and is always there.
//
// What is given in a cycle can be taken in the next. Who takes makes sure that it is there, and that
// nobody else takes the same in that cycle; a giver's numbers differ. An overflow goes unnoticed.

`default_nettype none

module semaphore_counts #(
  parameter int unsigned Takers     = 2,
  parameter int unsigned Givers     = 3,
  parameter int unsigned AtOnce     = 2,  // numbers of a giver
  parameter int unsigned CountWidth = 8
) (
  input  wire logic                               clk_i,
  input  wire logic                               rst_ni,
  input  wire logic                               clear_i,
  input  wire logic [Takers-1:0][3:0]             taken_i,  // 0: nothing
  input  wire logic [Givers-1:0][AtOnce-1:0][3:0] given_i,
  output logic [15:0]                             available_o
);

  localparam int unsigned ChangeWidth = $clog2(Givers + 1) + 1;

  logic [15:0] available_q;
  logic        changes;

  assign changes = taken_i != '0 || given_i != '0;

  for (genvar number = 1; number < 16; number++) begin : g_counts
    logic [CountWidth-1:0]  count_q, count;
    logic [ChangeWidth-1:0] change;
    logic                   taken, given;

    // All that happens makes one small number, so that there is one adder.
    always_comb begin
      taken = 1'b0;
      for (int taker = 0; taker < Takers; taker++) taken |= taken_i[taker] == 4'(number);
      change = {ChangeWidth{taken}};
      for (int giver = 0; giver < Givers; giver++) begin
        given = 1'b0;
        for (int one = 0; one < AtOnce; one++) given |= given_i[giver][one] == 4'(number);
        change += ChangeWidth'(given);
      end
    end
    assign count = count_q + CountWidth'($signed(change));

    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) begin
        count_q             <= '0;
        available_q[number] <= 1'b0;
      end else if (changes) begin
        count_q             <= count;
        available_q[number] <= count != '0;
      end
    end
  end
  assign available_q[0] = 1'b1;
  assign available_o    = available_q;

endmodule

`default_nettype wire
