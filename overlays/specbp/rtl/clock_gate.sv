// Stops the clock of a unit that has nothing to do: in simulation only, for speed.
//
// With `SPECBP_CLOCK_GATES` the unit sees a rising edge only in cycles that begin with `enable_i`,
// and the simulator need not look at it otherwise. Who uses it asks for every cycle in which a
// register of the unit could change, so that the results and the cycles are the same without: a
// test compares them. `clk_i` is the overlay's clock, never that of another gate: the harness goes
// by it. In synthesis this is a wire.

`default_nettype none

module clock_gate (
  input  wire logic clk_i,
  input  wire logic enable_i,
  output logic      clk_o
);

`ifdef SPECBP_CLOCK_GATES
  logic enable_q;

  always_latch begin
    if (!clk_i) enable_q = enable_i;
  end
  assign clk_o = clk_i && enable_q;
`else
  assign clk_o = clk_i;

  logic unused;
  assign unused = ^{enable_i};
`endif

endmodule

`default_nettype wire
