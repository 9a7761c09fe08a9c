// Says when there was no progress for too long.
//
// Latency: two cycles. `expired_o` is a register of `expired_clk_i`, which may stop while `changes_o`
// is low. It does not know what progress is: `restart_i` says so.

`default_nettype none

module watchdog (
  input  wire logic        clk_i,
  input  wire logic        expired_clk_i,
  input  wire logic        running_i,
  input  wire logic        restart_i,
  input  wire logic [31:0] limit_i,  // cycles; 0: none
  output logic             expired_o,
  output logic             changes_o
);

  logic [31:0] count_q;
  logic        expired;

  assign expired   = limit_i != '0 && count_q >= limit_i;
  assign changes_o = expired != expired_o;

  always_ff @(posedge clk_i) count_q <= restart_i ? '0 : count_q + 32'(running_i);
  always_ff @(posedge expired_clk_i) expired_o <= expired;

endmodule

`default_nettype wire
