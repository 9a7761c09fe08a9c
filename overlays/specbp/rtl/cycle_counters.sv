// The 64-bit counters behind CYCLES, BUSY, READ_STALL and WRITE_STALL.
//
// `cycles_o` counts from reset on; the others from the last start. They do not saturate: at
// 100 MHz they last for 5,800 years.

`default_nettype none

module cycle_counters (
  input  wire logic   clk_i,
  input  wire logic   rst_ni,
  input  wire logic   started_i,
  input  wire logic   busy_i,
  input  wire logic   read_stall_i,
  input  wire logic   write_stall_i,
  output logic [63:0] cycles_o,
  output logic [63:0] busy_o,
  output logic [63:0] read_stall_o,
  output logic [63:0] write_stall_o
);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) cycles_o <= '0;
    else cycles_o <= cycles_o + 64'd1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || started_i) begin
      busy_o        <= '0;
      read_stall_o  <= '0;
      write_stall_o <= '0;
    end else if (busy_i) begin
      busy_o <= busy_o + 64'd1;
      if (read_stall_i) read_stall_o <= read_stall_o + 64'd1;
      if (write_stall_i) write_stall_o <= write_stall_o + 64'd1;
    end
  end

endmodule

`default_nettype wire
