// Types that the modules share. Codes (opcodes, errors) are generated: specbp_codes_pkg.sv.

`default_nettype none

package specbp_pkg;

  // A descriptor is 64 bytes: 16 words of 32 bits, word 0 lowest. Word 0 holds the opcode in bits
  // 7:0; its other bits are zero.
  localparam int unsigned DescriptorBits  = 512;
  localparam int unsigned DescriptorBeats = 8;

  typedef logic [15:0][31:0] descriptor_t;

  typedef struct packed {
    logic [31:0] first;
    logic [31:0] last;
  } window_t;

  // Bits of a byte count; a COPY is at most 2^26 bytes.
  localparam int unsigned BytesWidth = 27;
  localparam int unsigned BeatsWidth = 24;

  typedef struct packed {
    logic [31:0]           source;
    logic [31:0]           destination;
    logic [BytesWidth-1:0] bytes;
  } copy_t;

  typedef struct packed {
    logic [31:0] address;
    logic [BeatsWidth-1:0] beats;
  } read_command_t;

endpackage

`default_nettype wire
