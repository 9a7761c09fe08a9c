// Asserts that what a stream offers stays as it is until it is taken. Empty in synthesis.

`default_nettype none

module handshake_checker #(
  parameter int unsigned Width = 1
) (
  input wire logic             clk_i,
  input wire logic             rst_ni,
  input wire logic             abort_i,  // from here on nothing is promised
  input wire logic             valid_i,
  input wire logic             ready_i,
  input wire logic [Width-1:0] data_i
);

`ifndef SYNTHESIS
  stays_valid :
  assert property (@(posedge clk_i) disable iff (!rst_ni || abort_i)
      valid_i && !ready_i |=> valid_i)
  else $error("%m: withdrawn before it was taken");

  stays_stable :
  assert property (@(posedge clk_i) disable iff (!rst_ni || abort_i)
      valid_i && !ready_i |=> $stable(data_i))
  else $error("%m: changed before it was taken");
`endif

endmodule

`default_nettype wire
