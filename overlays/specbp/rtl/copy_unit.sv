// Executes COPY: memory to memory through a queue of `Words` 64-bit words.
//
// Takes one COPY at a time; `done_o` is a pulse after the memory has acknowledged every write.
// Latency: that of one read and one write plus about 8 cycles; then a beat a cycle in each
// direction, at the pace of the slower one. Source and destination must not overlap unless they
// are equal: reads run ahead of writes. A failed read is reported at once; a failed write is the
// write engine's to report.

`default_nettype none

module copy_unit #(
  parameter int unsigned Words = 64
) (
  input  wire logic                 clk_i,
  input  wire logic                 rst_ni,
  input  wire logic                 abort_i,

  input  wire logic                 valid_i,
  output logic                      ready_o,
  input  wire specbp_pkg::copy_t    copy_i,
  output logic                      done_o,
  output logic                      error_valid_o,
  output logic [1:0]                error_response_o,

  output logic                      read_valid_o,
  input  wire logic                 read_ready_i,
  output specbp_pkg::read_command_t read_o,
  input  wire logic                 read_data_valid_i,
  output logic                      read_data_ready_o,
  input  wire logic [63:0]          read_data_i,
  input  wire logic [1:0]           read_response_i,

  output logic                      write_valid_o,
  input  wire logic                 write_ready_i,
  output logic [31:0]               write_address_o,
  output logic [specbp_pkg::BeatsWidth-1:0] write_beats_o,
  output logic [7:0]                write_last_strobes_o,
  output logic                      write_data_valid_o,
  input  wire logic                 write_data_ready_i,
  output logic [63:0]               write_data_o,
  input  wire logic                 write_idle_i
);
  import specbp_pkg::*;

  copy_t copy_q;
  logic busy_q, to_read_q, to_write_q;
  logic [2:0] tail_bytes;

  assign ready_o              = !busy_q;
  assign tail_bytes           = copy_q.bytes[2:0];
  assign write_beats_o        = copy_q.bytes[BytesWidth-1:3] + BeatsWidth'(tail_bytes != '0);
  assign write_last_strobes_o = tail_bytes == '0 ? 8'hFF : ~(8'hFF << tail_bytes);
  assign write_address_o      = copy_q.destination;
  assign write_valid_o        = to_write_q;
  assign read_o.address       = copy_q.source;
  assign read_o.beats         = write_beats_o;
  assign read_valid_o         = to_read_q;
  assign done_o               = busy_q && !to_read_q && !to_write_q && write_idle_i;
  assign error_valid_o        = read_data_valid_i && read_data_ready_o && read_response_i[1];
  assign error_response_o     = read_response_i;

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) copy_q <= copy_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || abort_i) begin
      busy_q     <= 1'b0;
      to_read_q  <= 1'b0;
      to_write_q <= 1'b0;
    end else if (valid_i && ready_o) begin
      busy_q     <= 1'b1;
      to_read_q  <= 1'b1;
      to_write_q <= 1'b1;
    end else begin
      if (done_o) busy_q <= 1'b0;
      if (read_ready_i) to_read_q <= 1'b0;
      if (write_ready_i) to_write_q <= 1'b0;
    end
  end

  stream_fifo #(
    .Width(64),
    .Depth(Words)
  ) u_words (
    .clk_i,
    .rst_ni,
    .clear_i    (abort_i),
    .in_valid_i (read_data_valid_i),
    .in_ready_o (read_data_ready_o),
    .in_data_i  (read_data_i),
    .out_valid_o(write_data_valid_o),
    .out_ready_i(write_data_ready_i),
    .out_data_o (write_data_o)
  );

endmodule

`default_nettype wire
