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

  // Wait for word 1 cycles.
  localparam logic [7:0] OpcodeNop = 8'd0;
  // End of the program.
  localparam logic [7:0] OpcodeEnd = 8'd1;
  // Copy word 3 bytes from address word 1 to address word 2.
  localparam logic [7:0] OpcodeCopy = 8'd2;
  // Memory to the scalar, vector or bias buffer.
  localparam logic [7:0] OpcodeLoad = 8'd16;
  // A number into the scalar, vector or bias buffer.
  localparam logic [7:0] OpcodeFill = 8'd17;
  // Memory to the vector buffer, columns to rows.
  localparam logic [7:0] OpcodeLoadTransposed = 8'd18;
  // Scalars times vectors, summed, with bias or partial sums, rounded.
  localparam logic [7:0] OpcodeMac = 8'd32;
  // The largest, and where it was.
  localparam logic [7:0] OpcodeMaximum = 8'd33;
  // The sum, rounded.
  localparam logic [7:0] OpcodeTotal = 8'd34;
  // A number where another is positive, else 0.
  localparam logic [7:0] OpcodeMask = 8'd35;
  // The sum of the numbers whose index is the one looked for.
  localparam logic [7:0] OpcodeSelect = 8'd36;
  // Probabilities, and their difference to the labels.
  localparam logic [7:0] OpcodeSoftmax = 8'd37;
  // New masters and momenta from gradients.
  localparam logic [7:0] OpcodeSgd = 8'd38;
  // The output buffer to memory.
  localparam logic [7:0] OpcodeStore = 8'd48;

endpackage
