// SPDX-License-Identifier: Apache-2.0
// Generated from specbp.rdl by `python -m specbp.overlay.registers`; do not edit.

package specbp_codes_pkg;

  // No error.
  localparam logic [3:0] ErrorNone = 4'd0;
  // A descriptor's opcode is unknown.
  localparam logic [3:0] ErrorOpcode = 4'd1;
  // A descriptor's field is out of range, or its memory outside the window.
  localparam logic [3:0] ErrorRange = 4'd2;
  // A data read was answered with an error; RESPONSE says which.
  localparam logic [3:0] ErrorRead = 4'd3;
  // A data write was answered with an error; RESPONSE says which.
  localparam logic [3:0] ErrorWrite = 4'd4;
  // A descriptor could not be fetched; RESPONSE says why.
  localparam logic [3:0] ErrorFetch = 4'd5;
  // No descriptor was dispatched or completed for longer than WATCHDOG allows.
  localparam logic [3:0] ErrorWatchdog = 4'd6;
  // The program's last descriptor is not END.
  localparam logic [3:0] ErrorNoEnd = 4'd7;

  // No bus error.
  localparam logic [1:0] ResponseOkay = 2'd0;
  // Never seen: the overlay makes no exclusive accesses.
  localparam logic [1:0] ResponseExokay = 2'd1;
  // The addressed slave reported an error.
  localparam logic [1:0] ResponseSlverr = 2'd2;
  // No slave answers at the address.
  localparam logic [1:0] ResponseDecerr = 2'd3;

  // Wait until all units are idle, then for word 1 cycles.
  localparam logic [7:0] OpcodeNop = 8'd0;
  // End of the program.
  localparam logic [7:0] OpcodeEnd = 8'd1;
  // Copy word 3 bytes from address word 1 to address word 2.
  localparam logic [7:0] OpcodeCopy = 8'd2;
  // Skip word 1 descriptors, or not, as an entry of the index table says.
  localparam logic [7:0] OpcodeSkip = 8'd3;
  // Move memory into a buffer.
  localparam logic [7:0] OpcodeLoad = 8'd16;
  // Write one int16 into a pattern of words of a buffer.
  localparam logic [7:0] OpcodeFill = 8'd17;
  // Move rows of memory into columns of the vector buffer.
  localparam logic [7:0] OpcodeLoadTransposed = 8'd18;
  // Move memory into the index table.
  localparam logic [7:0] OpcodeLoadIndex = 8'd19;
  // Multiply scalars with vectors and sum up.
  localparam logic [7:0] OpcodeMac = 8'd32;
  // Largest elements, and where they were found.
  localparam logic [7:0] OpcodeMaximum = 8'd33;
  // Rounded sums of elements.
  localparam logic [7:0] OpcodeTotal = 8'd34;
  // Elements where others are positive, else 0.
  localparam logic [7:0] OpcodeMask = 8'd35;
  // Sums of the elements that were chosen.
  localparam logic [7:0] OpcodeSelect = 8'd36;
  // Softmax, and the deltas at the logits.
  localparam logic [7:0] OpcodeSoftmax = 8'd37;
  // One SGD step of some weights.
  localparam logic [7:0] OpcodeSgd = 8'd38;
  // Distances of softmax to cached ones, and which of them are accepted.
  localparam logic [7:0] OpcodeGate = 8'd39;
  // Move words of the output buffer to memory.
  localparam logic [7:0] OpcodeStore = 8'd48;

endpackage
