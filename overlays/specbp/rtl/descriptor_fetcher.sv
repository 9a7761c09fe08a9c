// Reads a program's descriptors ahead of those that run: up to `Ahead` are under way or here.
//
// Requests two descriptors at a time (16 beats); beats wait in a queue and are put together into a
// descriptor of 512 bits, so that the next one is there 9 cycles after one was taken. Latency:
// memory latency plus 13 cycles for the first. A bus response goes along with its descriptor, so
// that an error counts only when the descriptor's turn comes. It does not look into descriptors,
// and so fetches beyond END where the program's length says that there are more.

`default_nettype none

module descriptor_fetcher #(
  parameter int unsigned Ahead = 8  // a power of two
) (
  input  wire logic                 clk_i,
  input  wire logic                 rst_ni,
  // Forgets everything; data under way are the read engine's to throw away.
  input  wire logic                 abort_i,

  input  wire logic                 start_i,
  input  wire logic [31:0]          address_i,  // a multiple of 64
  input  wire logic [31:0]          length_i,
  output logic                      exhausted_o,  // no descriptor is left
  output logic                      active_o,     // something changes in this cycle

  output logic                      cmd_valid_o,
  input  wire logic                 cmd_ready_i,
  output specbp_pkg::read_command_t cmd_o,
  input  wire logic                 data_valid_i,
  output logic                      data_ready_o,
  input  wire logic [63:0]          data_i,
  input  wire logic [1:0]           data_response_i,

  output logic                      descriptor_valid_o,
  input  wire logic                 descriptor_ready_i,
  output specbp_pkg::descriptor_t   descriptor_o,
  output logic [1:0]                response_o  // the worst of its beats
);
  import specbp_pkg::*;

  localparam int unsigned ReservedWidth = $clog2(Ahead) + 1;

  logic [31:0]              address_q, remaining_q;
  logic [ReservedWidth-1:0] reserved_q;  // requested and not yet taken
  logic                     one, requested, taken;
  logic [1:0]               wanted;

  // A second one only in the same 128 bytes: then it is one burst.
  assign one         = remaining_q == 32'd1 || address_q[6];
  assign wanted      = one ? 2'd1 : 2'd2;
  assign cmd_valid_o = remaining_q != '0
      && reserved_q <= ReservedWidth'(Ahead) - ReservedWidth'(wanted);
  assign cmd_o       = '{
      address: address_q,
      beats: one ? BeatsWidth'(DescriptorBeats) : BeatsWidth'(2 * DescriptorBeats)
  };
  assign requested   = cmd_valid_o && cmd_ready_i;
  assign exhausted_o = remaining_q == '0 && reserved_q == '0;

  always_ff @(posedge clk_i) begin
    if (start_i) address_q <= address_i;
    else if (requested) address_q <= address_q + {24'd0, wanted, 6'd0};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      remaining_q <= '0;
      reserved_q  <= '0;
    end else begin
      if (start_i) remaining_q <= length_i;
      else if (requested) remaining_q <= remaining_q - 32'(wanted);
      reserved_q <= reserved_q + (requested ? ReservedWidth'(wanted) : '0)
          - ReservedWidth'(taken);
    end
  end

  // Beats.
  logic        beat_valid, shift, unused_ready, unused_valid;
  logic [63:0] beat;
  logic [1:0]  beat_response;

  stream_fifo #(
    .Width(64),
    .Depth(Ahead * DescriptorBeats)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (data_valid_i),
    .in_ready_o (data_ready_o),  // always: see reserved_q
    .in_data_i  (data_i),
    .out_valid_o(beat_valid),
    .out_ready_i(shift),
    .out_data_o (beat)
  );

  stream_fifo #(
    .Width(2),
    .Depth(Ahead * DescriptorBeats)
  ) u_responses (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (data_valid_i),
    .in_ready_o (unused_ready),
    .in_data_i  (data_response_i),
    .out_valid_o(unused_valid),
    .out_ready_i(shift),
    .out_data_o (beat_response)
  );

  // The descriptor, beat by beat.
  logic [DescriptorBeats-1:0][63:0] beats_q;
  logic [1:0]                       response_q;
  logic [3:0]                       here_q;

  assign descriptor_valid_o = here_q == 4'(DescriptorBeats);
  assign descriptor_o       = beats_q;
  assign response_o         = response_q;
  assign active_o           = start_i || requested || data_valid_i || shift || taken;
  assign taken              = descriptor_valid_o && descriptor_ready_i;
  assign shift              = beat_valid && !descriptor_valid_o;

  always_ff @(posedge clk_i) begin
    if (shift) begin
      beats_q[here_q[2:0]] <= beat;
      if (here_q == '0 || beat_response > response_q) response_q <= beat_response;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) here_q <= '0;
    else if (taken) here_q <= '0;
    else if (shift) here_q <= here_q + 4'd1;
  end

  logic unused;
  assign unused = ^{unused_ready, unused_valid};

endmodule

`default_nettype wire
