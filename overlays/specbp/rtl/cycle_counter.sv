// Counts cycles in which something was so.
//
// It does not saturate: at 100 MHz 64 bits last for 5,800 years.

`default_nettype none

module cycle_counter (
  input  wire logic   clk_i,
  input  wire logic   clear_i,
  input  wire logic   count_i,
  output logic [63:0] count_o
);

  logic [63:0] count_q;

  always_ff @(posedge clk_i) begin
    if (clear_i) count_q <= '0;
    else count_q <= count_q + 64'(count_i);
  end

  assign count_o = count_q;

endmodule

`default_nettype wire
