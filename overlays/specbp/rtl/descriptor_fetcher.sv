// Reads a program's descriptors, one ahead of the one that runs.
//
// Latency: memory latency plus 8 beats plus 2 cycles for the first; later ones are there when the
// one before takes longer than a fetch. A bus response goes along with its descriptor, so that an
// error counts only when the descriptor's turn comes. It does not look into descriptors, and so
// fetches one beyond END where the program's length says that there is one.

`default_nettype none

module descriptor_fetcher (
  input  wire logic                 clk_i,
  input  wire logic                 rst_ni,
  // Forgets everything; data under way are the read engine's to throw away.
  input  wire logic                 abort_i,

  input  wire logic                 start_i,
  input  wire logic [31:0]          address_i,  // a multiple of 64
  input  wire logic [31:0]          length_i,
  output logic                      exhausted_o,  // no descriptor is left

  output logic                      cmd_valid_o,
  input  wire logic                 cmd_ready_i,
  output specbp_pkg::read_command_t cmd_o,
  input  wire logic                 data_valid_i,
  output logic                      data_ready_o,
  input  wire logic [63:0]          data_i,
  input  wire logic [1:0]           data_response_i,
  input  wire logic                 data_last_i,

  output logic                      descriptor_valid_o,
  input  wire logic                 descriptor_ready_i,
  output specbp_pkg::descriptor_t   descriptor_o,
  output logic [1:0]                response_o  // the worst of its beats
);
  import specbp_pkg::*;

  logic [31:0] address_q, remaining_q;
  logic requested_q, full_q, valid_q;
  logic [DescriptorBits-1:0] shift_q, descriptor_q;
  logic [1:0] shift_response_q, response_q;
  logic requested, shift, move;

  assign cmd_valid_o   = remaining_q != '0 && !requested_q && !full_q;
  assign cmd_o.address = address_q;
  assign cmd_o.beats   = BeatsWidth'(DescriptorBeats);
  assign requested     = cmd_valid_o && cmd_ready_i;
  assign data_ready_o  = requested_q;
  assign shift         = data_valid_i && data_ready_o;
  assign move          = full_q && (!valid_q || descriptor_ready_i);
  assign exhausted_o   = remaining_q == '0 && !requested_q && !full_q && !valid_q;

  assign descriptor_valid_o = valid_q;
  assign descriptor_o       = descriptor_q;
  assign response_o         = response_q;

  always_ff @(posedge clk_i) begin
    if (start_i) address_q <= address_i;
    else if (requested) address_q <= address_q + 32'd64;
    if (shift) shift_q <= {data_i, shift_q[DescriptorBits-1:64]};
    if (requested) shift_response_q <= '0;
    else if (shift && data_response_i > shift_response_q) shift_response_q <= data_response_i;
    if (move) begin
      descriptor_q <= shift_q;
      response_q   <= shift_response_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      remaining_q <= '0;
      requested_q <= 1'b0;
      full_q      <= 1'b0;
      valid_q     <= 1'b0;
    end else begin
      if (start_i) remaining_q <= length_i;
      else if (requested) remaining_q <= remaining_q - 32'd1;
      if (requested) requested_q <= 1'b1;
      else if (shift && data_last_i) requested_q <= 1'b0;
      if (shift && data_last_i) full_q <= 1'b1;
      else if (move) full_q <= 1'b0;
      if (move) valid_q <= 1'b1;
      else if (descriptor_ready_i) valid_q <= 1'b0;
    end
  end

endmodule

`default_nettype wire
