// The 64-bit counters behind CYCLES, BUSY and what the core did in its busy cycles.
//
// `cycles_o` counts from reset on; the others from the last start. They do not saturate: at
// 100 MHz they last for 5,800 years.

`default_nettype none

module cycle_counters #(
  parameter int unsigned Events = 1
) (
  input  wire logic                clk_i,
  input  wire logic                rst_ni,
  input  wire logic                started_i,
  input  wire logic                busy_i,
  input  wire logic [Events-1:0]   event_i,
  output logic [63:0]              cycles_o,
  output logic [63:0]              busy_o,
  output logic [Events-1:0][63:0]  event_o
);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) cycles_o <= '0;
    else cycles_o <= cycles_o + 64'd1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || started_i) begin
      busy_o  <= '0;
      event_o <= '0;
    end else if (busy_i) begin
      busy_o <= busy_o + 64'd1;
      for (int number = 0; number < Events; number++) begin
        if (event_i[number]) event_o[number] <= event_o[number] + 64'd1;
      end
    end
  end

endmodule

`default_nettype wire
