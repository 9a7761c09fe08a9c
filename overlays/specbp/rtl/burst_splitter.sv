// Cuts one transfer of 64-bit beats into INCR bursts.
//
// A burst ends where an address is a multiple of the longest burst (16 beats, 128 bytes), so that
// it never crosses a 4 KB boundary and all but the first and last are as long as a Zynq-7000 HP
// port (AXI3) takes. Latency: the first burst is offered one cycle after the command. Full
// throughput: a burst a cycle. It does not count what is under way; its users do.

`default_nettype none

module burst_splitter #(
  parameter int unsigned AddressWidth = 32,
  parameter int unsigned CountWidth   = 24
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_ni,
  // Forgets the bursts not yet taken; no command is taken meanwhile.
  input  wire logic                    abort_i,

  input  wire logic                    cmd_valid_i,
  output logic                         cmd_ready_o,
  input  wire logic [AddressWidth-1:0] cmd_address_i,  // a multiple of 8
  input  wire logic [CountWidth-1:0]   cmd_beats_i,    // at least 1

  output logic                         burst_valid_o,
  input  wire logic                    burst_ready_i,
  output logic [AddressWidth-1:0]      burst_address_o,
  output logic [4:0]                   burst_beats_o,  // 1 to 16
  output logic                         burst_last_o    // the last of its command
);

  logic                    active_q, last_q;
  logic [AddressWidth-1:0] address_q;
  logic [CountWidth-1:0]   beats_q, left;
  logic [4:0]              to_boundary;
  logic                    take;

  assign cmd_ready_o     = !abort_i && (!active_q || (burst_last_o && burst_ready_i));
  assign take            = cmd_valid_i && cmd_ready_o;
  assign to_boundary     = 5'd16 - {1'b0, address_q[6:3]};
  assign burst_valid_o   = active_q && !abort_i;
  assign burst_address_o = address_q;
  assign burst_last_o    = last_q;
  assign burst_beats_o   = last_q ? beats_q[4:0] : to_boundary;
  assign left            = beats_q - CountWidth'(to_boundary);

  // Whether a burst is the last is known when it is offered: a command waits for no comparison.
  always_ff @(posedge clk_i) begin
    if (take) begin
      address_q <= cmd_address_i;
      beats_q   <= cmd_beats_i;
      last_q    <= cmd_beats_i <= CountWidth'(5'd16 - {1'b0, cmd_address_i[6:3]});
    end else if (burst_valid_o && burst_ready_i) begin
      address_q <= {address_q[AddressWidth-1:7] + 1'b1, 7'd0};
      beats_q   <= left;
      last_q    <= left <= CountWidth'(16);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) active_q <= 1'b0;
    else if (take) active_q <= 1'b1;
    else if (burst_ready_i && burst_last_o) active_q <= 1'b0;
  end

endmodule

`default_nettype wire
