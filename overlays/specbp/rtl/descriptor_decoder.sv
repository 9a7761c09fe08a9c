// Says what a descriptor asks for, or what is wrong with it. Combinational.
//
// A new opcode is added here (fields and their checks) and in specbp.rdl (its number). Checks:
// bits of word 0 beyond the opcode are zero; memory is aligned to 8 bytes, does not wrap and lies
// in the window; a COPY has 1 to 2^26 bytes. It does not check words that an opcode does not use.

`default_nettype none

module descriptor_decoder (
  input  wire specbp_pkg::descriptor_t descriptor_i,
  input  wire specbp_pkg::window_t     window_i,
  output logic [7:0]                   opcode_o,
  output logic [3:0]                   error_o,  // ErrorNone when all is well
  output logic [31:0]                  wait_cycles_o,
  output specbp_pkg::copy_t            copy_o
);
  import specbp_pkg::*;
  import specbp_codes_pkg::*;

  localparam logic [31:0] MaxBytes = 32'd1 << (BytesWidth - 1);

  // Whether `bytes` (at least 1) at `address` lie in the window.
  function automatic logic inside_window(logic [31:0] address, logic [31:0] bytes,
                                         window_t window);
    logic [32:0] last = {1'b0, address} + {1'b0, bytes} - 33'd1;
    return address >= window.first && last <= {1'b0, window.last} && address[2:0] == 3'd0;
  endfunction

  logic copy_fits;
  logic reserved_zero;

  assign opcode_o      = descriptor_i[0][7:0];
  assign reserved_zero = descriptor_i[0][31:8] == '0;
  assign wait_cycles_o = descriptor_i[1];

  assign copy_o.source      = descriptor_i[1];
  assign copy_o.destination = descriptor_i[2];
  assign copy_o.bytes       = descriptor_i[3][BytesWidth-1:0];
  assign copy_fits = descriptor_i[3] != '0 && descriptor_i[3] <= MaxBytes
      && inside_window(descriptor_i[1], descriptor_i[3], window_i)
      && inside_window(descriptor_i[2], descriptor_i[3], window_i);

  always_comb begin
    unique case (opcode_o)
      OpcodeNop, OpcodeEnd: error_o = reserved_zero ? ErrorNone : ErrorRange;
      OpcodeCopy:           error_o = reserved_zero && copy_fits ? ErrorNone : ErrorRange;
      default:              error_o = ErrorOpcode;
    endcase
  end

  logic unused;
  assign unused = ^{descriptor_i[15:4]};

endmodule

`default_nettype wire
