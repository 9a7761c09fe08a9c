// Says what a descriptor asks for, or what is wrong with it. Combinational.
//
// A new opcode is added here (its unit and the checks of its fields) and in specbp.rdl (its
// number). What is checked: every field that ISA.md limits, and that memory is aligned to 8 bytes;
// the memory of a COPY lies in the window. Units check the addresses that come up while they run.
// It does not check words that an opcode does not use.

`default_nettype none

module descriptor_decoder #(
  parameter int unsigned Groups = 4
) (
  input  wire specbp_pkg::descriptor_t  descriptor_i,
  input  wire specbp_pkg::window_t      window_i,
  output logic [7:0]                    opcode_o,
  output logic [specbp_pkg::Units-1:0]  unit_o,   // whose it is; none: the sequencer's
  output logic [3:0]                    error_o,  // ErrorNone when all is well
  output logic [31:0]                   wait_cycles_o,
  output specbp_pkg::skip_t             skip_o,
  output specbp_pkg::copy_t             copy_o
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  localparam logic [31:0] MaxBytes = 32'd1 << (BytesWidth - 1);
  localparam logic [5:0]  MaxShift = 6'd47;

  function automatic logic aligned(logic [31:0] value);
    return value % 32'd8 == '0;
  endfunction

  descriptor_t d;
  assign d = descriptor_i;

  assign opcode_o      = d[0][7:0];
  assign wait_cycles_o = d[1];

  assign skip_o        = {d[2], d[1][15:0]};

  assign copy_o.source      = d[1];
  assign copy_o.destination = d[2];
  assign copy_o.bytes       = d[3][BytesWidth-1:0];

  logic alone, tag_fits, copy_fits, words_fit, memory_fits, buffer_fits, rows_fit;
  logic mac_fits, softmax_fits, sgd_fits, skip_fits, index_fits, gate_fits;

  // NOP, END, COPY and SKIP have no semaphores.
  assign alone    = d[0][31:8] == '0;
  assign tag_fits = (d[0][11:8] == '0 || d[0][11:8] != d[0][15:12])
      && (d[0][19:16] == '0 || d[0][19:16] != d[0][23:20]);

  assign copy_fits = d[3] != '0 && d[3] <= MaxBytes && aligned(d[1]) && aligned(d[2])
      && inside_window(d[1], d[3], window_i) && inside_window(d[2], d[3], window_i);

  assign words_fit   = d[3][15:0] != '0 && d[3][31:16] != '0 && d[4][15:0] != '0
      && d[4][31:16] != '0;
  assign memory_fits = aligned(d[1]) && aligned(d[5]) && aligned(d[6]) && aligned(d[7]);
  assign buffer_fits = d[2][17:16] != 2'd3;
  assign rows_fit    = d[2][17:16] == BufferVector && d[3][15:0] <= 16'd16 && aligned(d[10]);

  assign mac_fits = d[3][1:0] != ResultRaw && d[3][3:2] != AddendElement
      && (!d[3][4] || d[3][1:0] == ResultInt16)
      && d[3][9:5] != '0 && 32'(d[3][9:5]) <= Groups
      && d[3][15:10] <= MaxShift && d[3][21:16] <= MaxShift;
  assign softmax_fits = d[3][8:1] != '0 && d[3][14:9] <= MaxShift && d[3][31:16] != '0;
  assign sgd_fits     = d[3][15:0] != '0 && d[5][21:16] <= MaxShift && d[5][27:22] <= MaxShift;

  assign skip_fits    = d[1] != '0 && d[1][31:16] == '0;
  // An indexed move takes entries that are there, and its stride has 24 bits.
  assign index_fits   = !d[9][31] || (d[7][31:24] == '0
      && 32'(d[9][25:16]) + 32'(d[4][31:16]) <= TableEntries);
  assign gate_fits    = d[3][7:0] != '0 && d[3][7:0] <= 8'd128 && d[3][31:16] != '0
      && d[3][31:26] == '0 && d[4][31:18] == '0;

  logic fits;

  always_comb begin
    unit_o  = '0;
    fits    = 1'b1;
    error_o = ErrorNone;
    unique case (opcode_o)
      OpcodeNop, OpcodeEnd: fits = alone;
      OpcodeCopy: fits = alone && copy_fits;
      OpcodeSkip: fits = alone && skip_fits;
      OpcodeLoad: begin
        unit_o[UnitLoad] = 1'b1;
        fits = tag_fits && words_fit && memory_fits && buffer_fits && index_fits
            && d[10][31:16] == '0;
      end
      OpcodeFill: begin
        unit_o[UnitLoad] = 1'b1;
        fits = tag_fits && words_fit && buffer_fits;
      end
      OpcodeLoadTransposed: begin
        unit_o[UnitLoad] = 1'b1;
        fits = tag_fits && words_fit && memory_fits && rows_fit && index_fits;
      end
      OpcodeLoadIndex: begin
        unit_o[UnitLoad] = 1'b1;
        fits = tag_fits && words_fit && memory_fits && !d[9][31];
      end
      OpcodeMac: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits && mac_fits;
      end
      OpcodeMaximum, OpcodeSelect: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits;
      end
      OpcodeTotal: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits && d[3][15:10] <= MaxShift;
      end
      OpcodeMask: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits && d[3][1:0] == '0;
      end
      OpcodeSoftmax: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits && softmax_fits;
      end
      OpcodeSgd: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits && sgd_fits;
      end
      OpcodeGate: begin
        unit_o[UnitCompute] = 1'b1;
        fits = tag_fits && gate_fits;
      end
      OpcodeStore: begin
        unit_o[UnitStore] = 1'b1;
        fits = tag_fits && words_fit && memory_fits && index_fits;
      end
      default: error_o = ErrorOpcode;
    endcase
    if (!fits) error_o = ErrorRange;
  end

  logic unused;
  assign unused = ^{d[15:11], d[9][30:26], d[9][15:0], d[8]};

endmodule

`default_nettype wire
