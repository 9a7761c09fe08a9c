// 15 counting semaphores; number 0 stands for none, and is always there.
//
// What is given in a cycle can be taken in the next. Who takes makes sure that it is there; an
// overflow goes unnoticed.

`default_nettype none

module semaphore_counts #(
  parameter int unsigned Takers     = 2,
  parameter int unsigned Givers     = 6,
  parameter int unsigned CountWidth = 8
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,
  input  wire logic                    clear_i,
  input  wire logic [Takers-1:0][3:0]  taken_i,  // 0: nothing
  input  wire logic [Givers-1:0][3:0]  given_i,
  output logic [15:0]                  available_o
);

  logic [15:0] available_q;
  logic        changes;

  assign changes = taken_i != '0 || given_i != '0;

  for (genvar number = 1; number < 16; number++) begin : g_counts
    logic [CountWidth-1:0] count_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) begin
        count_q             <= '0;
        available_q[number] <= 1'b0;
      end else if (changes) begin
        automatic logic [CountWidth-1:0] count;
        count = count_q;
        for (int taker = 0; taker < Takers; taker++) begin
          if (taken_i[taker] == 4'(number)) count -= CountWidth'(1);
        end
        for (int giver = 0; giver < Givers; giver++) begin
          if (given_i[giver] == 4'(number)) count += CountWidth'(1);
        end
        count_q             <= count;
        available_q[number] <= count != '0;
      end
    end
  end
  assign available_q[0] = 1'b1;
  assign available_o    = available_q;

endmodule

`default_nettype wire
